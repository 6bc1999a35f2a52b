import { parse as parseYaml } from "yaml";
import { statusErrors } from "../../api/index.js";
import { mediaTypeOf, mediaTypes } from "./negotiate.js";
import type { WireRequest } from "./wire.js";

export const defaultBodyLimitBytes: number = 3 * 1024 * 1024;

/**
 * Reads a whole body. Throws 413 as soon as it is known to be longer than the limit; the rest is then not read. An abort of
 * the client rejects with 400, which nobody will see.
 */
export function readBody(request: WireRequest, limitBytes: number): Promise<Buffer> {
  const length = Number(request.headers["content-length"] ?? "0");
  if (length > limitBytes) return Promise.reject(tooLarge(limitBytes));
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const settle = (act: () => void): void => {
      request.off("data", onData);
      request.off("end", onEnd);
      request.off("error", onError);
      request.off("close", onClose);
      act();
    };
    const onData = (chunk: Buffer): void => {
      size += chunk.length;
      if (size > limitBytes) {
        settle(() => reject(tooLarge(limitBytes)));
        request.pause();
        return;
      }
      chunks.push(chunk);
    };
    const onEnd = (): void =>
      settle(() => resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, size)));
    const onError = (cause: Error): void =>
      settle(() => reject(statusErrors.badRequest("the body of the request could not be read", { cause })));
    const onClose = (): void => onError(new Error("the client went away"));
    request.on("data", onData);
    request.on("end", onEnd);
    request.on("error", onError);
    request.on("close", onClose);
  });
}

function tooLarge(limitBytes: number): Error {
  return statusErrors.requestEntityTooLarge(`Request entity too large: limit is ${limitBytes}`);
}

/** Turns a body into a value; `type` is the bare media type, already known to be one of `mediaTypes`. Throws StatusError. */
export type BodyDecoder = (bytes: Buffer, type: string) => unknown;

/** The media type of a body that is an object. Throws 415. */
export function objectTypeOf(contentType: string | undefined): string {
  const type = contentType === undefined || contentType === "" ? "application/json" : mediaTypeOf(contentType);
  if (!mediaTypes.includes(type)) throw statusErrors.unsupportedMediaType(mediaTypes);
  return type;
}

/** Nothing in the API nests deeper; a stored object of ten thousand levels would break every later read. */
export const maxDepth = 512;

export const decodeBody: BodyDecoder = (bytes, type) => {
  const text = decodeUtf8(bytes);
  return type === "application/yaml" ? decodeYaml(text) : decodeJson(text);
};

/** An apply patch is YAML, which JSON is a part of; most clients send JSON, and that is read much faster. */
export function decodeYamlOrJson(bytes: Buffer): unknown {
  const text = decodeUtf8(bytes);
  return /^\s*\{/.test(text) ? decodeFlow(text) : decodeYaml(text);
}

function decodeFlow(text: string): unknown {
  if (depthOf(text) > maxDepth) throw tooDeep();
  try {
    return JSON.parse(text);
  } catch {
    return decodeYaml(text);
  }
}

function decodeUtf8(bytes: Buffer): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw statusErrors.badRequest("the body of the request is not valid UTF-8", { cause });
  }
}

function decodeJson(text: string): unknown {
  if (depthOf(text) > maxDepth) throw tooDeep();
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw statusErrors.badRequest(`couldn't get version/kind; json parse error: ${messageOf(cause)}`, { cause });
  }
}

function decodeYaml(text: string): unknown {
  if (indentDepthOf(text) > maxDepth || depthOf(text) > maxDepth) throw tooDeep();
  try {
    return parseYaml(text, { maxAliasCount: 100, version: "1.1", schema: "yaml-1.1", merge: false });
  } catch (cause) {
    throw statusErrors.badRequest(`error converting YAML to JSON: ${messageOf(cause)}`, { cause });
  }
}

function tooDeep(): Error {
  return statusErrors.badRequest(`the body of the request nests deeper than ${maxDepth} levels`);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The greatest depth of brackets outside strings, found before anything recursive looks at the text. */
function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x22) at = endOfString(text, at);
    else if (code === 0x7b || code === 0x5b) {
      depth++;
      if (depth > deepest) deepest = depth;
    } else if (code === 0x7d || code === 0x5d) depth--;
  }
  return deepest;
}

function endOfString(text: string, start: number): number {
  let at = start + 1;
  for (;;) {
    const quote = text.indexOf('"', at);
    if (quote < 0) return text.length;
    let slashes = 0;
    while (text.charCodeAt(quote - 1 - slashes) === 0x5c) slashes++;
    if (slashes % 2 === 0) return quote;
    at = quote + 1;
  }
}

/** An upper bound of the depth of block YAML: each level is at least one more column, or one more `- `. */
function indentDepthOf(text: string): number {
  let deepest = 0;
  for (const match of text.matchAll(/^[ ]*(?:- +)*/gm)) deepest = Math.max(deepest, match[0].length / 2);
  return deepest;
}
