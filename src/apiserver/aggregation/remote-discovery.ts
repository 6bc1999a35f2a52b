import { apiServices } from "../../api/index.js";
import type { Component, ComponentContext } from "../../internal/component.js";
import { discoveryContentType, plainJson } from "../discovery/accept.js";
import type { AggregatedVersion } from "../discovery/documents.js";
import type { ExtraGroup, ServedResource } from "../discovery/groups.js";
import type { FetchAnswer } from "./backend-fetch.js";
import { followCache } from "./cache-changes.js";
import { aggregatorUser } from "./discovery-check.js";
import { parseAggregated, parseResourceList } from "./parse-discovery.js";
import { type RemoteOptions, refreshMs, retryMs } from "./remote-options.js";
import type { RemoteService } from "./remote-services.js";
import { RepeatedWork } from "./repeated-work.js";

const forms: readonly AggregatedVersion[] = ["v2", "v2beta1"];

interface Known {
  readonly resources: readonly ServedResource[];
  /** Its server could not be asked the last time. */
  readonly stale: boolean;
  readonly etag: string | undefined;
}

/** Knows what the servers behind this one serve, as discovery shows it. What a server said stays when it answers no more, marked stale. */
export class RemoteDiscovery implements Component {
  readonly name = "api-service-discovery";
  readonly #options: RemoteOptions;
  readonly #known = new Map<string, Known>();
  #changes = 0;

  constructor(options: RemoteOptions) {
    this.#options = options;
  }

  /** Changes whenever `groups` would be another. */
  get generation(): number {
    return this.#changes + this.#options.services.generation;
  }

  groups(): readonly ExtraGroup[] {
    const groups = new Map<string, ExtraGroup>();
    for (const remote of this.#options.services.all()) {
      const { resources = [], stale = true } = this.#known.get(remote.name) ?? {};
      const version = { version: remote.version, resources, stale, priority: remote.versionPriority };
      const group = groups.get(remote.group);
      groups.set(remote.group, {
        name: remote.group,
        priority: Math.max(remote.groupPriority, group?.priority ?? 0),
        versions: [...(group?.versions ?? []), version],
      });
    }
    return [...groups.values()];
  }

  async run({ signal, ready }: ComponentContext): Promise<void> {
    const { server } = this.#options;
    const work = new RepeatedWork({ clock: server.clock, work: (name, stop) => this.#refresh(name, stop) });
    ready();
    await followCache(server, apiServices, signal, (objects) => {
      for (const { metadata } of objects ?? server.cacheReader.list(apiServices)) work.ask(metadata.name ?? "");
    });
    await work.stop();
  }

  async #refresh(name: string, signal: AbortSignal): Promise<number | undefined> {
    const remote = this.#options.services.byName(name);
    if (remote === undefined) {
      this.#known.delete(name);
      return undefined;
    }
    const before = this.#known.get(name);
    try {
      if (!remote.available) throw new Error("the service is not available");
      this.#set(name, await this.#ask(remote, before, signal));
      return refreshMs;
    } catch (error) {
      if (signal.aborted) return undefined;
      this.#options.server.logger.debug("a server could not be asked for what it serves", { apiService: name, error });
      this.#set(name, { resources: before?.resources ?? [], stale: true, etag: before?.etag });
      return retryMs;
    }
  }

  #set(name: string, next: Known): void {
    const before = this.#known.get(name);
    this.#known.set(name, next);
    if (before?.resources !== next.resources || before.stale !== next.stale) this.#changes++;
  }

  async #ask(remote: RemoteService, before: Known | undefined, signal: AbortSignal): Promise<Known> {
    const { fetch } = this.#options;
    const accept = [...forms.map(discoveryContentType), plainJson].join(",");
    const etag = before?.etag;
    const answer = await fetch(remote, { path: "/apis", user: aggregatorUser, accept, etag, signal });
    if (answer.code === 304 && before !== undefined) return before.stale ? { ...before, stale: false } : before;
    const resources = answer.code === 200 ? parseAggregated(parse(answer), remote) : undefined;
    if (resources !== undefined) return { resources, stale: false, etag: answer.headers.etag };
    return { resources: await this.#askLegacy(remote, signal), stale: false, etag: undefined };
  }

  async #askLegacy(remote: RemoteService, signal: AbortSignal): Promise<readonly ServedResource[]> {
    const path = `/apis/${remote.group}/${remote.version}`;
    const answer = await this.#options.fetch(remote, { path, user: aggregatorUser, accept: plainJson, signal });
    const resources = answer.code === 200 ? parseResourceList(parse(answer), remote) : undefined;
    if (resources === undefined) throw new Error(`failed to download discovery for ${path}: ${answer.code}`);
    return resources;
  }
}

function parse({ body }: FetchAnswer): unknown {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch {
    // What is no JSON is no such document.
    return undefined;
  }
}
