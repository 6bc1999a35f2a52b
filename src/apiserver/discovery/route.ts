import { createHash } from "node:crypto";
import type { JsonObject, ResourceDescription } from "../../api/index.js";
import { protobufType } from "../http/negotiate.js";
import type { PathRequest, PathResponse, PathRoute } from "../http/routes.js";
import { yamlText } from "../http/yaml-text.js";
import { type AcceptedDiscovery, acceptDiscovery, type DiscoveryForm, discoveryContentType } from "./accept.js";
import {
  aggregatedDocument,
  apiVersionsDocument,
  groupDocument,
  groupListDocument,
  resourceListDocument,
} from "./documents.js";
import { type ExtraGroup, type ServedGroup, servedGroups } from "./groups.js";
import { discoveryProtobuf } from "./protobuf.js";

/** The resources that are served; `generation` changes whenever they do. */
export interface ResourceSource {
  readonly generation: number;
  all(): readonly ResourceDescription[];
}

export interface DiscoveryOptions {
  readonly resources: ResourceSource;
  /** Groups of servers behind this one, with a number that changes whenever they do. */
  readonly extras?: { readonly generation: number; groups(): readonly ExtraGroup[] } | undefined;
  /** `host:port` as clients reach it, for `/api`. */
  readonly serverAddress?: string;
}

const encode: Readonly<Record<AcceptedDiscovery["format"], (document: object) => Buffer>> = {
  json: (document) => Buffer.from(`${JSON.stringify(document)}\n`),
  yaml: (document) => Buffer.from(yamlText(document)),
  protobuf: (document) => discoveryProtobuf(document as JsonObject),
};

const contentTypes = { yaml: "application/yaml", protobuf: protobufType } as const;

/** `/api`, `/apis` and below, legacy and aggregated. Documents are made when first asked for and kept until resources change. */
export class DiscoveryRoute implements PathRoute {
  readonly #options: DiscoveryOptions;
  readonly #documents = new Map<string, PathResponse>();
  #groups: readonly ServedGroup[] = [];
  #generation = "";

  constructor(options: DiscoveryOptions) {
    this.#options = options;
  }

  get paths(): readonly string[] {
    this.#refresh();
    const below = this.#groups.flatMap(({ name, versions }) => {
      const group = name === "" ? "/api" : `/apis/${name}`;
      return [group, ...versions.map(({ version }) => `${group}/${version}`)];
    });
    return ["/apis", "/apis/", ...below];
  }

  handle(request: Pick<PathRequest, "path" | "headers">): PathResponse | undefined {
    const path = request.path.endsWith("/") ? request.path.slice(0, -1) : request.path;
    const [root, group, version, ...rest] = path.slice(1).split("/");
    if ((root !== "api" && root !== "apis") || group === "" || rest.length > 0) return undefined;
    this.#refresh();
    const accept = request.headers["accept"];
    const accepted = acceptDiscovery(Array.isArray(accept) ? accept.join(",") : accept);
    if (group === undefined) return this.#document(root, accepted, () => this.#rootDocument(root, accepted.form));
    const legacy = { form: "legacy", format: accepted.format } as const;
    if (root === "api") {
      return version === undefined ? this.#document(path, legacy, () => this.#versionDocument("", group)) : undefined;
    }
    return this.#document(path, legacy, () =>
      version === undefined ? this.#groupDocument(group) : this.#versionDocument(group, version),
    );
  }

  #refresh(): void {
    const { resources, extras } = this.#options;
    const generation = `${resources.generation}/${extras?.generation ?? 0}`;
    if (generation === this.#generation) return;
    this.#generation = generation;
    this.#documents.clear();
    this.#groups = servedGroups(resources.all(), extras?.groups());
  }

  /** Only what exists is kept, so the paths that clients make up take no memory. */
  #document(
    path: string,
    { form, format }: AcceptedDiscovery,
    build: () => object | undefined,
  ): PathResponse | undefined {
    const key = `${path} ${form} ${format}`;
    const known = this.#documents.get(key);
    if (known !== undefined) return known;
    const document = build();
    if (document === undefined) return undefined;
    const body = encode[format](document);
    const response: PathResponse = {
      code: 200,
      contentType: format === "json" ? discoveryContentType(form) : contentTypes[format],
      body,
      headers:
        form === "legacy" ? { Vary: "Accept" } : { Vary: "Accept", ETag: etagOf(body), "Cache-Control": "public" },
    };
    this.#documents.set(key, response);
    return response;
  }

  #rootDocument(root: string, form: DiscoveryForm): object {
    const core = this.#groups.filter(({ name }) => name === "");
    if (form !== "legacy") {
      return aggregatedDocument(root === "api" ? core : this.#groups.filter(({ name }) => name !== ""), form);
    }
    if (root === "apis") return groupListDocument(this.#groups);
    const versions = core.flatMap((group) => group.versions.map(({ version }) => version));
    return apiVersionsDocument(versions, this.#options.serverAddress ?? "");
  }

  #groupDocument(name: string): object | undefined {
    const group = this.#groups.find((candidate) => candidate.name === name);
    return group === undefined ? undefined : groupDocument(group);
  }

  #versionDocument(name: string, versionName: string): object | undefined {
    const group = this.#groups.find((candidate) => candidate.name === name);
    const version = group?.versions.find((candidate) => candidate.version === versionName);
    return group === undefined || version === undefined ? undefined : resourceListDocument(group, version);
  }
}

/** Clients send it back in If-None-Match, and kubectl names its cache by it. */
export function etagOf(body: Buffer): string {
  return `"${createHash("sha512").update(body).digest("hex").toUpperCase()}"`;
}
