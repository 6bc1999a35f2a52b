import { type ResourceDescription, statusErrors } from "../../api/index.js";
import type { ResourceSource } from "../discovery/route.js";
import type { PathRequest, PathResponse, PathRoute } from "../http/routes.js";
import { DefinitionIndex } from "./definition-index.js";
import { documentV2, documentV3 } from "./document.js";
import { fingerprint, hashOf } from "./fingerprint.js";
import { jsonInParts, protobufInParts } from "./in-parts.js";
import { mergeDocuments } from "./merge-v2.js";
import { basePath } from "./operations.js";
import type { RemoteDocument, RemoteDocuments } from "./remote.js";
import type { Fragment } from "./types.js";

export interface OpenApiOptions {
  readonly resources: ResourceSource;
  /** `v1.36.0`, as in `/version`. */
  readonly version: string;
  /** Of servers behind this one. */
  readonly remote?: RemoteDocuments | undefined;
}

interface Built {
  readonly descriptions: readonly ResourceDescription[];
  readonly hash: string;
  /** Made when it is first asked for. */
  body: Promise<Buffer> | undefined;
}

interface BuiltV2 {
  readonly descriptions: readonly ResourceDescription[];
  readonly remotes: readonly RemoteDocument[];
  readonly hash: string;
  json: Promise<Buffer> | undefined;
  protobuf: Promise<Buffer> | undefined;
}

const v3Root = "/openapi/v3";
const v2Path = "/openapi/v2";

/**
 * `/openapi/v2` and `/openapi/v3`. A document is made when it is first asked for, and again only when the resources of its
 * group-version change: a new custom resource leaves the built-in ones' documents, and clients' copies of them, valid.
 */
export class OpenApiRoute implements PathRoute {
  readonly paths: readonly string[] = [v2Path, v3Root, `${v3Root}/`];
  readonly #options: OpenApiOptions;
  #index: Promise<DefinitionIndex> | undefined;
  #generation: number | undefined;
  #v3: ReadonlyMap<string, Built> = new Map();
  #v2: BuiltV2 | undefined;

  constructor(options: OpenApiOptions) {
    this.#options = options;
  }

  async handle(request: Pick<PathRequest, "path" | "query" | "headers">): Promise<PathResponse | undefined> {
    const path = request.path.endsWith("/") ? request.path.slice(0, -1) : request.path;
    if (path !== v2Path && path !== v3Root && !path.startsWith(`${v3Root}/`)) return undefined;
    const form = acceptedForm(request.headers.accept, path);
    if (path === v2Path) return this.#documentV2(form === "protobuf");
    if (path === v3Root) return this.#root();
    const place = path.slice(v3Root.length + 1);
    return this.#options.remote?.groupVersion(place, request) ?? this.#groupVersion(place, request.query);
  }

  /** The definitions with their documentation, which is large and loaded only here. */
  #definitions(): Promise<DefinitionIndex> {
    this.#index ??= import("../../api/gen/docs.js").then(({ docs }) => new DefinitionIndex(docs));
    return this.#index;
  }

  /** Hashes without the documents: making them all for a client that wants one would take longer than the rest. */
  #root(): PathResponse {
    const own = [...this.#groupVersions()].map(([path, { hash }]) => [path, `${v3Root}/${path}?hash=${hash}`] as const);
    const urls = new Map([...own, ...(this.#options.remote?.index() ?? [])]);
    const entries = [...urls].map(([path, serverRelativeURL]) => [path, { serverRelativeURL }]);
    const body = Buffer.from(JSON.stringify({ paths: Object.fromEntries(entries) }));
    return whole(body, hashOf(body));
  }

  async #groupVersion(path: string, query: string): Promise<PathResponse | undefined> {
    const built = this.#groupVersions().get(path);
    if (built === undefined) return undefined;
    const asked = new URLSearchParams(query).get("hash");
    if (asked !== null && asked !== built.hash) {
      const location = `${v3Root}/${path}?hash=${built.hash}`;
      return { code: 301, contentType: "text/plain", body: "", headers: { Location: location } };
    }
    const index = await this.#definitions();
    built.body ??= documentV3(built.descriptions, index, this.#options.version).then(jsonInParts);
    const response = whole(await built.body, built.hash);
    return asked === null
      ? response
      : { ...response, headers: { ...response.headers, "Cache-Control": "public, immutable" } };
  }

  /** By `api/v1` or `apis/apps/v1`, in that order. */
  #groupVersions(): ReadonlyMap<string, Built> {
    const { resources, version } = this.#options;
    if (resources.generation === this.#generation) return this.#v3;
    const byPath = new Map<string, ResourceDescription[]>();
    for (const description of resources.all()) {
      const path = basePath(description).slice(1);
      const list = byPath.get(path) ?? [];
      byPath.set(path, list);
      list.push(description);
    }
    const next = [...byPath].map(([path, descriptions]): [string, Built] => {
      const known = this.#v3.get(path);
      if (known !== undefined && sameItems(known.descriptions, descriptions)) return [path, known];
      return [path, { descriptions, hash: fingerprint(descriptions, version), body: undefined }];
    });
    this.#generation = resources.generation;
    this.#v3 = new Map(next.sort(([a], [b]) => (a < b ? -1 : 1)));
    return this.#v3;
  }

  async #documentV2(protobuf: boolean): Promise<PathResponse> {
    const index = await this.#definitions();
    const remotes = (await this.#options.remote?.documents()) ?? [];
    const descriptions = this.#options.resources.all();
    const { version } = this.#options;
    let built = this.#v2;
    if (built === undefined || !sameItems(built.descriptions, descriptions) || !sameItems(built.remotes, remotes)) {
      const own = fingerprint(descriptions, version);
      const hash = remotes.length === 0 ? own : hashOf([own, ...remotes.map((remote) => remote.hash)].join());
      built = { descriptions, remotes, hash, json: undefined, protobuf: undefined };
      this.#v2 = built;
    }
    const document = async (): Promise<Fragment> =>
      mergeDocuments(await documentV2(descriptions, index, version), remotes);
    if (!protobuf) {
      built.json ??= document().then(jsonInParts);
      return whole(await built.json, built.hash);
    }
    built.protobuf ??= document().then(protobufInParts);
    return { ...whole(await built.protobuf, `${built.hash}-PB`), contentType: protobufV2 };
  }
}

function sameItems(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((item, i) => item === b[i]);
}

function whole(body: Buffer, hash: string): PathResponse {
  return { code: 200, contentType: "application/json", body, headers: { ETag: `"${hash}"`, Vary: "Accept" } };
}

const protobufV2 = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";
/** The second is what clients say that are older than the rule that a media type has no @. */
const protobufTypes: readonly string[] = [protobufV2, "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"];

/** The form that comes first in an Accept header. Protobuf is there of v2 only. Throws 406 where there is none. */
function acceptedForm(header: string | readonly string[] | undefined, path: string): "json" | "protobuf" {
  const accept = typeof header === "string" ? header : (header ?? []).join(",");
  if (accept.trim() === "") return "json";
  for (const clause of accept.split(",").slice(0, 64)) {
    const type = (clause.split(";")[0] ?? "").trim().toLowerCase();
    if (type === "application/json" || type === "*/*" || type === "application/*") return "json";
    if (path === v2Path && protobufTypes.includes(type)) return "protobuf";
  }
  throw statusErrors.notAcceptable(["application/json"]);
}
