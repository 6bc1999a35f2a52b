import { posix } from "node:path";
import { pipeline, type Readable, Transform } from "node:stream";
import { createDeflate, createGunzip, createGzip, createInflate } from "node:zlib";
import type { RewritingStream } from "parse5-html-rewriting-stream";

/** Where a page comes from, and where its reader sees it. */
export interface PagePlace {
  /** Under which path the root of the page's server is seen: `/api/v1/namespaces/a/pods/b/proxy`. */
  readonly prefix: string;
  /** Names, with port, that the page may call its own server by. */
  readonly hosts: readonly string[];
}

type StartTag = Parameters<RewritingStream["emitStartTag"]>[0];

/** What the parser says of tags beyond its types. */
type LocationOfTag = NonNullable<StartTag["sourceCodeLocation"]> & {
  readonly attrs?: Readonly<Record<string, { readonly startOffset: number; readonly endOffset: number }>>;
};

/** Attributes with URLs, by element: those that HTML 4 and 5 know. */
const urlAttributes: ReadonlyMap<string, readonly string[]> = new Map([
  ["a", ["href"]],
  ["applet", ["codebase"]],
  ["area", ["href"]],
  ["audio", ["src"]],
  ["base", ["href"]],
  ["blockquote", ["cite"]],
  ["body", ["background"]],
  ["button", ["formaction"]],
  ["command", ["icon"]],
  ["del", ["cite"]],
  ["embed", ["src"]],
  ["form", ["action"]],
  ["frame", ["longdesc", "src"]],
  ["head", ["profile"]],
  ["html", ["manifest"]],
  ["iframe", ["longdesc", "src"]],
  ["img", ["longdesc", "src", "usemap"]],
  ["input", ["src", "usemap", "formaction"]],
  ["ins", ["cite"]],
  ["link", ["href"]],
  ["object", ["classid", "codebase", "data", "usemap"]],
  ["q", ["cite"]],
  ["script", ["src"]],
  ["source", ["src"]],
  ["video", ["poster", "src"]],
]);

/** What of a page may be held back until it is clear what it is: a tag, a comment. */
const maxHeldBytes = 4 * 1024 * 1024;

const urlParts = /^(?:[a-z][a-z0-9+.-]*:)?(?:\/\/(?:[^/?#@]*@)?([^/?#]*))?([^?#]*)(.*)$/is;

/**
 * The URL under which the reader of a page finds what the page calls `url`. Those that lead to other servers, and relative ones, are
 * right as they are.
 */
export function rewriteUrl(url: string, { prefix, hosts }: PagePlace): string {
  const [, host = "", path = "", rest = ""] = urlParts.exec(url) ?? [];
  if ((host !== "" && !hosts.includes(host)) || !path.startsWith("/")) return url;
  if (path.startsWith(prefix)) return `${path}${rest}`;
  const joined = posix.join(prefix, path);
  return `${joined}${path.endsWith("/") && !joined.endsWith("/") ? "/" : ""}${rest}`;
}

/**
 * A page with the URLs of its elements rewritten, in the content encoding that it has. Undefined where that encoding is not known:
 * the page must be passed on as it is. Fails where one tag, comment or text is longer than 4 MiB.
 */
export async function rewritePage(page: Readable, encoding: string, place: PagePlace): Promise<Readable | undefined> {
  if (encoding === "gzip") return chain([page, createGunzip(), await rewriting(place), createGzip()]);
  if (encoding === "deflate") return chain([page, createInflate(), await rewriting(place), createDeflate()]);
  return encoding === "" ? chain([page, await rewriting(place)]) : undefined;
}

/** Bytes in, bytes out. Between, each byte is a character: what is no URL stays as it is, whatever the page's encoding. */
async function rewriting(place: PagePlace): Promise<Transform> {
  // Loaded for the first page only.
  const { RewritingStream } = await import("parse5-html-rewriting-stream");
  let [text, held] = ["", 0];
  const rewriter = new (class extends RewritingStream {
    override emitRaw(html: string): void {
      text += html;
    }
  })();
  rewriter.on("startTag", (tag, raw) => rewriter.emitRaw(rewriteTag(tag, raw, place)));
  const take = (): Buffer => {
    const taken = Buffer.from(text, "latin1");
    text = "";
    return taken;
  };
  return new Transform({
    transform(chunk: Buffer, _, done) {
      held += chunk.length;
      rewriter.write(chunk.toString("latin1"), () => {
        if (text !== "") held = 0;
        done(held > maxHeldBytes ? new Error("a page has too long a tag to rewrite its links") : null, take());
      });
    },
    flush(done) {
      rewriter.end(() => done(null, take()));
    },
  });
}

function rewriteTag({ tagName, attrs, sourceCodeLocation }: StartTag, raw: string, place: PagePlace): string {
  const names = urlAttributes.get(tagName) ?? [];
  const startOffset = sourceCodeLocation?.startOffset ?? 0;
  const places = (sourceCodeLocation as LocationOfTag | undefined)?.attrs;
  let [text, at] = ["", 0];
  for (const { name, value } of attrs) {
    const location = places?.[name];
    const url = names.includes(name) ? rewriteUrl(value, place) : value;
    if (url === value || location === undefined) continue;
    text += `${raw.slice(at, location.startOffset - startOffset)}${name}="${escaped(url)}"`;
    at = location.endOffset - startOffset;
  }
  return text + raw.slice(at);
}

function escaped(url: string): string {
  const entity = (character: string): string => `&#${character.codePointAt(0)};`;
  return url
    .replaceAll("&", "&amp;")
    .replaceAll('"', "&#34;")
    .replace(/[\u0100-\u{10ffff}]/gu, entity);
}

function chain(streams: readonly (Readable | Transform)[]): Readable {
  return pipeline([...streams] as Transform[], () => {}) as unknown as Readable;
}
