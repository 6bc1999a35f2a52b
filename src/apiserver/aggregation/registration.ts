import {
  type APIService,
  apiServices,
  customResourceDefinitions,
  isStatusError,
  type KubeObject,
  type New,
  type ResourceDescription,
  type UserInfo,
} from "../../api/index.js";
import { jsonEqual } from "../../api/json-value.js";
import type { Component, ComponentContext } from "../../internal/component.js";
import type { ApiServer } from "../server.js";
import { followCache } from "./cache-changes.js";
import { RepeatedWork } from "./repeated-work.js";
import { managedLabel, type WantedService, wantedServices } from "./wanted-services.js";

/** How long after a failure everything is looked at again. */
const retryMs = 1_000;

const self: UserInfo = { username: "system:apiserver", groups: ["system:masters"] };
const { group, version, resource } = apiServices;

/** What should be, and what is. */
interface Compared {
  readonly wanted: WantedService | undefined;
  readonly present: APIService | undefined;
  readonly signal: AbortSignal;
}

/**
 * Makes the APIServices of what this server serves itself. Those of built-in group-versions are brought in line once, at the start; those of
 * custom resources come and go with their definitions. What has no label of ours is somebody else's. Any number of servers may do this.
 */
export class ApiServiceRegistration implements Component {
  readonly name = "api-service-registration";
  readonly #server: ApiServer;
  readonly #builtin: readonly ResourceDescription[];
  /** Those of `onstart` that were there at the start and have not been looked at yet. */
  #atStart: Set<string> | undefined;
  readonly #done = new Set<string>();

  /** `builtin` are the resources that the server was made with. */
  constructor(server: ApiServer, builtin: readonly ResourceDescription[]) {
    this.#server = server;
    this.#builtin = builtin;
  }

  async run({ signal, ready }: ComponentContext): Promise<void> {
    const server = this.#server;
    const work = new RepeatedWork({ clock: server.clock, work: (_, stop) => this.#reconcile(stop) });
    const changed = (): void => work.ask("all");
    ready();
    const custom = this.#customServed();
    await Promise.all([
      followCache(server, apiServices, signal, changed),
      ...(custom ? [followCache(server, customResourceDefinitions, signal, changed)] : []),
    ]);
    await work.stop();
  }

  #customServed(): boolean {
    const definitions = customResourceDefinitions;
    return this.#server.lookup(definitions.group, definitions.version, definitions.resource) !== undefined;
  }

  async #reconcile(signal: AbortSignal): Promise<number | undefined> {
    const { cacheReader, logger } = this.#server;
    const definitions = this.#customServed() ? cacheReader.list(customResourceDefinitions) : [];
    const wanted = wantedServices(this.#builtin, definitions);
    const present = new Map(cacheReader.list(apiServices).map((object) => [object.metadata.name ?? "", object]));
    this.#atStart ??= new Set(present.keys());
    let failed = false;
    for (const name of new Set([...wanted.keys(), ...present.keys()])) {
      if (signal.aborted) return undefined;
      try {
        await this.#settle(name, { wanted: wanted.get(name), present: present.get(name), signal });
      } catch (error) {
        if (signal.aborted) return undefined;
        if (isStatusError(error, "AlreadyExists") || isStatusError(error, "NotFound")) continue;
        failed = true;
        if (!isStatusError(error, "Conflict")) logger.warn("an APIService could not be written", { name, error });
      }
    }
    return failed ? retryMs : undefined;
  }

  async #settle(name: string, { wanted, present, signal }: Compared): Promise<void> {
    const once = wanted?.managed === "onstart";
    if (present === undefined) {
      if (wanted === undefined || (once && this.#done.has(name))) return;
      await this.#write("create", wanted.object, signal);
      this.#done.add(name);
      return;
    }
    const label = present.metadata.labels?.[managedLabel];
    if (label !== "onstart" && label !== "true") return void this.#done.add(name);
    if (label === "onstart" && (this.#atStart?.has(name) !== true || this.#done.has(name))) return;
    if (wanted === undefined) await this.#delete(present, signal);
    else if (label !== wanted.managed || !jsonEqual(present.spec, wanted.object.spec)) {
      const labels = { ...present.metadata.labels, ...wanted.object.metadata.labels };
      const { spec: _, ...rest } = present;
      const { spec } = wanted.object;
      await this.#write(
        "update",
        { ...rest, metadata: { ...present.metadata, labels }, ...(spec && { spec }) },
        signal,
      );
    }
    this.#done.add(name);
  }

  async #write(verb: "create" | "update", object: New<APIService>, signal: AbortSignal): Promise<void> {
    const name = verb === "update" ? { name: object.metadata.name } : {};
    const request = { verb, group, version, resource, ...name, body: object };
    await this.#server.handle({ ...request, user: self, userAgent: "kube-apiserver", signal });
  }

  async #delete({ metadata: { name, uid, resourceVersion } }: KubeObject, signal: AbortSignal): Promise<void> {
    const preconditions = { ...(uid && { uid }), ...(resourceVersion && { resourceVersion }) };
    const body = { preconditions };
    await this.#server.handle({ verb: "delete", group, version, resource, name, body, user: self, signal });
  }
}
