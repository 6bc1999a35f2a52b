import {
  type APIService,
  apiServices,
  endpointSlices,
  isStatusError,
  services,
  type UserInfo,
} from "../../api/index.js";
import { timestamp } from "../../internal/clock.js";
import type { Component, ComponentContext } from "../../internal/component.js";
import { followCache } from "./cache-changes.js";
import { type Availability, localAvailability, withAvailability } from "./conditions.js";
import { discoveryCheck } from "./discovery-check.js";
import type { RemoteOptions } from "./remote-options.js";
import { type RemoteService, remoteServiceOf } from "./remote-services.js";
import { RepeatedWork } from "./repeated-work.js";
import { checkService } from "./service-check.js";

/** A server may stop answering without a change of any object. */
const resyncMs = 30_000;
const minBackoffMs = 5;
const maxBackoffMs = 30_000;

const self: UserInfo = { username: "system:apiserver", groups: ["system:masters"] };

/**
 * Keeps the condition Available of every APIService: looks at its Service and EndpointSlices, and asks its server for what it serves; on
 * changes of these, every half minute, and sooner after a failure. Any number of servers may do this on one store.
 */
export class AvailabilityController implements Component {
  readonly name = "api-service-availability";
  readonly #options: RemoteOptions;
  readonly #failures = new Map<string, number>();
  /** As they were last seen, by name. */
  readonly #specs = new Map<string, string>();

  constructor(options: RemoteOptions) {
    this.#options = options;
  }

  async run({ signal, ready }: ComponentContext): Promise<void> {
    const { server, services: remotes } = this.#options;
    const work = new RepeatedWork({ clock: server.clock, work: (name, stop) => this.#check(name, stop) });
    const askFor = (concerned: (remote: RemoteService) => boolean): void => {
      for (const remote of remotes.all()) if (concerned(remote)) work.ask(remote.name);
    };
    ready();
    await Promise.all([
      followCache(server, apiServices, signal, (objects) => {
        for (const object of objects ?? server.cacheReader.list(apiServices)) {
          if (objects === undefined || this.#isNews(object)) work.ask(object.metadata.name ?? "");
        }
      }),
      followCache(server, services, signal, (objects) => {
        const places = objects && new Set(objects.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`));
        askFor(({ service }) => places === undefined || places.has(`${service.namespace}/${service.name}`));
      }),
      followCache(server, endpointSlices, signal, (objects) => {
        const places = objects && new Set(objects.map(({ metadata }) => placeOfSlice(metadata)));
        askFor(({ service }) => places === undefined || places.has(`${service.namespace}/${service.name}`));
      }),
    ]);
    await work.stop();
  }

  /** What only was said of its state is none: servers that see different things would answer each other without end. */
  #isNews({ metadata, spec, status }: APIService): boolean {
    const name = metadata.name ?? "";
    const before = this.#specs.get(name);
    const now = JSON.stringify(spec);
    this.#specs.set(name, now);
    return before !== now || status?.conditions?.some(({ type }) => type === "Available") !== true;
  }

  /** Gives the time until the next check. */
  async #check(name: string, signal: AbortSignal): Promise<number | undefined> {
    const { server } = this.#options;
    try {
      const object = server.cacheReader.get(apiServices, { name });
      if (object === undefined) {
        this.#failures.delete(name);
        this.#specs.delete(name);
        return undefined;
      }
      const remote = remoteServiceOf(object);
      const found = remote === undefined ? localAvailability : await this.#judge(remote, signal);
      if (signal.aborted) return undefined;
      await this.#say(name, found, signal);
      if (remote === undefined) return undefined;
      if (found.reason !== "FailedDiscoveryCheck") {
        this.#failures.delete(name);
        return resyncMs;
      }
    } catch (error) {
      if (signal.aborted) return undefined;
      server.logger.warn("an APIService could not be checked", { name, error });
    }
    return this.#backoff(name);
  }

  async #judge(remote: RemoteService, signal: AbortSignal): Promise<Availability> {
    const { server, fetch } = this.#options;
    return checkService(remote, server.cacheReader) ?? (await discoveryCheck(remote, fetch, signal));
  }

  /** Writes only what is new: on most checks nothing is. */
  async #say(name: string, found: Availability, signal: AbortSignal): Promise<void> {
    const { server } = this.#options;
    const object = server.cacheReader.get(apiServices, { name });
    if (object === undefined) return;
    const next = withAvailability(object, found, timestamp(server.clock));
    if (next === object) return;
    const { group, version, resource } = apiServices;
    const place = { group, version, resource, name, subresource: "status" };
    try {
      await server.handle({ verb: "update", ...place, body: next, user: self, userAgent: "kube-apiserver", signal });
    } catch (error) {
      // Somebody else wrote it: the change comes by, and it is checked again.
      if (!isStatusError(error, "Conflict") && !isStatusError(error, "NotFound")) throw error;
    }
  }

  #backoff(name: string): number {
    const failures = this.#failures.get(name) ?? 0;
    this.#failures.set(name, failures + 1);
    return Math.min(maxBackoffMs, minBackoffMs * 2 ** Math.min(failures, 16));
  }
}

function placeOfSlice({
  namespace,
  labels,
}: {
  readonly namespace?: string;
  readonly labels?: { readonly [key: string]: string };
}): string {
  return `${namespace}/${labels?.["kubernetes.io/service-name"] ?? ""}`;
}
