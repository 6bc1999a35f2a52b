import { type ResourceDescription, statusErrors } from "../../api/index.js";
import type { ResourceSource } from "../discovery/route.js";
import type { PathRequest, PathResponse, PathRoute } from "../http/routes.js";
import { DefinitionIndex } from "./definition-index.js";
import { documentV2, documentV3 } from "./document.js";
import { fingerprint, hashOf } from "./fingerprint.js";
import { basePath } from "./operations.js";

export interface OpenApiOptions {
  readonly resources: ResourceSource;
  /** `v1.36.0`, as in `/version`. */
  readonly version: string;
}

interface Built {
  readonly descriptions: readonly ResourceDescription[];
  readonly hash: string;
  /** Made when it is first asked for. */
  body: Buffer | undefined;
}

const v3Root = "/openapi/v3";
const v2Path = "/openapi/v2";

/**
 * `/openapi/v2` and `/openapi/v3`. A document is made when it is first asked for, and again only when the resources of its
 * group-version change: a new custom resource leaves the built-in ones' documents, and clients' copies of them, valid.
 */
export class OpenApiRoute implements PathRoute {
  readonly paths: readonly string[] = [v2Path, v3Root];
  readonly #options: OpenApiOptions;
  #index: Promise<DefinitionIndex> | undefined;
  #generation: number | undefined;
  #v3: ReadonlyMap<string, Built> = new Map();
  #v2:
    | { readonly descriptions: readonly ResourceDescription[]; readonly body: Buffer; readonly hash: string }
    | undefined;

  constructor(options: OpenApiOptions) {
    this.#options = options;
  }

  async handle(request: Pick<PathRequest, "path" | "query" | "headers">): Promise<PathResponse | undefined> {
    const path = request.path.endsWith("/") ? request.path.slice(0, -1) : request.path;
    if (path !== v2Path && path !== v3Root && !path.startsWith(`${v3Root}/`)) return undefined;
    refuseProtobuf(request.headers["accept"]);
    if (path === v2Path) return this.#documentV2();
    if (path === v3Root) return this.#root();
    return this.#groupVersion(path.slice(v3Root.length + 1), request.query);
  }

  /** The definitions with their documentation, which is large and loaded only here. */
  #definitions(): Promise<DefinitionIndex> {
    this.#index ??= import("../../api/gen/docs.js").then(({ docs }) => new DefinitionIndex(docs));
    return this.#index;
  }

  /** Hashes without the documents: making them all for a client that wants one would take longer than the rest. */
  #root(): PathResponse {
    const entries = [...this.#groupVersions()].map(([path, { hash }]) => [
      path,
      { serverRelativeURL: `${v3Root}/${path}?hash=${hash}` },
    ]);
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
    built.body ??= bytesOf(documentV3(built.descriptions, index, this.#options.version));
    const response = whole(built.body, built.hash);
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

  async #documentV2(): Promise<PathResponse> {
    const index = await this.#definitions();
    const descriptions = this.#options.resources.all();
    if (this.#v2 === undefined || !sameItems(this.#v2.descriptions, descriptions)) {
      const body = bytesOf(documentV2(descriptions, index, this.#options.version));
      this.#v2 = { descriptions, body, hash: hashOf(body) };
    }
    return whole(this.#v2.body, this.#v2.hash);
  }
}

function sameItems(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((item, i) => item === b[i]);
}

function bytesOf(document: object): Buffer {
  return Buffer.from(JSON.stringify(document));
}

function whole(body: Buffer, hash: string): PathResponse {
  return { code: 200, contentType: "application/json", body, headers: { ETag: `"${hash}"`, Vary: "Accept" } };
}

/** Clients that take nothing but protobuf must be told so, else they try to read JSON as such. */
function refuseProtobuf(header: string | readonly string[] | undefined): void {
  const accept = typeof header === "string" ? header : (header ?? []).join(",");
  if (accept.trim() === "") return;
  const types = accept.split(",").map((clause) => (clause.split(";")[0] ?? "").trim().toLowerCase());
  if (types.some((type) => type === "application/json" || type === "*/*" || type === "application/*")) return;
  throw statusErrors.notAcceptable(["application/json"]);
}
