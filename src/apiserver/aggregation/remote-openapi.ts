import { apiServices, decodeJson, statusErrors, type UserInfo } from "../../api/index.js";
import { isJsonObject } from "../../api/json-value.js";
import type { Component, ComponentContext } from "../../internal/component.js";
import type { PathRequest, PathResponse } from "../http/routes.js";
import { headerOf } from "../http/wire.js";
import { hashOf } from "../openapi/fingerprint.js";
import type { RemoteDocument, RemoteDocuments } from "../openapi/remote.js";
import { followCache } from "./cache-changes.js";
import { type RemoteOptions, refreshMs, retryMs } from "./remote-options.js";
import type { RemoteService } from "./remote-services.js";
import { RepeatedWork } from "./repeated-work.js";

const json = "application/json";

/** One who may read what everybody may. */
const openApiUser: UserInfo = { username: "system:aggregator", groups: [] };

interface Kept {
  readonly document: RemoteDocument | undefined;
  readonly etag: string | undefined;
  readonly askedMs: number;
}

/**
 * OpenAPI of the servers behind this one. Of v3 only the index is known here; documents are passed on. Swagger documents, which few clients
 * want, are got when somebody asks, and asked for again a minute later.
 */
export class RemoteOpenApi implements Component, RemoteDocuments {
  readonly name = "api-service-openapi";
  readonly #options: RemoteOptions;
  /** By the name of the APIService: where its document is. */
  readonly #urls = new Map<string, string>();
  readonly #kept = new Map<string, Kept>();
  readonly #asking = new Map<string, Promise<void>>();
  readonly #stop = new AbortController();

  constructor(options: RemoteOptions) {
    this.#options = options;
  }

  async run({ signal, ready }: ComponentContext): Promise<void> {
    const { server } = this.#options;
    const work = new RepeatedWork({ clock: server.clock, work: (name, stop) => this.#refresh(name, stop) });
    ready();
    await followCache(server, apiServices, signal, (objects) => {
      for (const { metadata } of objects ?? server.cacheReader.list(apiServices)) work.ask(metadata.name ?? "");
    });
    this.#stop.abort();
    await work.stop();
    await Promise.all(this.#asking.values());
  }

  index(): ReadonlyMap<string, string> {
    const index = new Map<string, string>();
    for (const remote of this.#options.services.all()) {
      const url = this.#urls.get(remote.name);
      if (url !== undefined) index.set(pathOf(remote), url);
    }
    return index;
  }

  groupVersion(path: string, request: Pick<PathRequest, "query" | "headers">): Promise<PathResponse> | undefined {
    const [root, group = "", version = "", ...rest] = path.split("/");
    if (root !== "apis" || rest.length > 0) return undefined;
    const remote = this.#options.services.find(group, version);
    return remote && this.#passOn(remote, request);
  }

  async documents(): Promise<readonly RemoteDocument[]> {
    const remotes = this.#options.services.all();
    await Promise.all(remotes.map((remote) => this.#keep(remote)));
    return remotes.flatMap(({ name }) => this.#kept.get(name)?.document ?? []);
  }

  async #passOn(remote: RemoteService, request: Pick<PathRequest, "query" | "headers">): Promise<PathResponse> {
    const { query, headers } = request;
    const path = `/openapi/v3/${pathOf(remote)}${query === "" ? "" : `?${query}`}`;
    const accept = headerOf(headers, "accept") ?? json;
    try {
      if (!remote.available) throw new Error("service unavailable");
      const etag = headerOf(headers, "if-none-match");
      const answer = await this.#options.fetch(remote, {
        path,
        user: openApiUser,
        accept,
        etag,
        signal: this.#stop.signal,
      });
      const passed = ["etag", "cache-control", "vary", "last-modified"].flatMap((name) => {
        const value = headerOf(answer.headers, name);
        return value === undefined ? [] : [[name === "etag" ? "ETag" : name, value]];
      });
      const contentType = answer.headers["content-type"] ?? json;
      return { code: answer.code, contentType, body: answer.body, headers: Object.fromEntries(passed) };
    } catch (cause) {
      throw statusErrors.serviceUnavailable(cause instanceof Error ? cause.message : String(cause), { cause });
    }
  }

  async #refresh(name: string, signal: AbortSignal): Promise<number | undefined> {
    const remote = this.#options.services.byName(name);
    if (remote === undefined) {
      this.#urls.delete(name);
      this.#kept.delete(name);
      return undefined;
    }
    if (!remote.available) return retryMs;
    try {
      const answer = await this.#options.fetch(remote, {
        path: "/openapi/v3",
        user: openApiUser,
        accept: json,
        signal,
      });
      const url = answer.code === 200 ? urlIn(answer.body, pathOf(remote)) : undefined;
      if (url === undefined) this.#urls.delete(name);
      else this.#urls.set(name, url);
      return refreshMs;
    } catch (error) {
      if (signal.aborted) return undefined;
      this.#options.server.logger.debug("a server could not be asked for its OpenAPI", { apiService: name, error });
      return retryMs;
    }
  }

  /** Has its Swagger document at hand, where it has one. */
  #keep(remote: RemoteService): Promise<void> {
    const { clock } = this.#options.server;
    const kept = this.#kept.get(remote.name);
    if (kept !== undefined && clock.now() - kept.askedMs < refreshMs) return Promise.resolve();
    if (!remote.available || this.#stop.signal.aborted) return Promise.resolve();
    let asking = this.#asking.get(remote.name);
    if (asking === undefined) {
      asking = this.#askDocument(remote, kept).finally(() => this.#asking.delete(remote.name));
      this.#asking.set(remote.name, asking);
    }
    return asking;
  }

  async #askDocument(remote: RemoteService, kept: Kept | undefined): Promise<void> {
    const { fetch, server } = this.#options;
    const askedMs = server.clock.now();
    const etag = kept?.etag;
    const { signal } = this.#stop;
    let next: Kept = { document: kept?.document, etag, askedMs };
    try {
      const answer = await fetch(remote, { path: "/openapi/v2", user: openApiUser, accept: json, etag, signal });
      if (answer.code === 200)
        next = { ...next, document: documentIn(answer.body, remote, kept), etag: answer.headers.etag };
      else if (answer.code === 404) next = { document: undefined, etag: undefined, askedMs };
    } catch (error) {
      server.logger.debug("a server could not be asked for its OpenAPI", { apiService: remote.name, error });
    }
    this.#kept.set(remote.name, next);
  }
}

function pathOf({ group, version }: RemoteService): string {
  return `apis/${group}/${version}`;
}

/** Only a place on this server, which passes it on. */
function urlIn(body: Buffer, path: string): string | undefined {
  const index: unknown = decodeJson(body).value;
  const paths = isJsonObject(index) ? index["paths"] : undefined;
  const entry = isJsonObject(paths) ? paths[path] : undefined;
  const url = isJsonObject(entry) ? entry["serverRelativeURL"] : undefined;
  const own = `/openapi/v3/${path}`;
  return typeof url === "string" && (url === own || url.startsWith(`${own}?`)) ? url : undefined;
}

function documentIn(body: Buffer, remote: RemoteService, kept: Kept | undefined): RemoteDocument | undefined {
  const hash = hashOf(body);
  if (kept?.document?.hash === hash) return kept.document;
  const document: unknown = decodeJson(body, { maxBytes: body.length }).value;
  return isJsonObject(document) ? { prefix: `/${pathOf(remote)}/`, document, hash } : undefined;
}
