import { configMaps, isStatusError, namespaces, type UserInfo } from "../../api/index.js";
import { jsonEqual } from "../../api/json-value.js";
import type { Component, ComponentContext } from "../../internal/component.js";
import type { ApiServer } from "../server.js";
import { type AuthenticationInfo, authenticationData } from "./authentication-info.js";
import { followCache } from "./cache-changes.js";
import { RepeatedWork } from "./repeated-work.js";

const key = { namespace: "kube-system", name: "extension-apiserver-authentication" } as const;
const resyncMs = 60_000;
const retryMs = 1_000;
const self: UserInfo = { username: "system:apiserver", groups: ["system:masters"] };

/** Keeps the ConfigMap by which servers behind this one learn whom to believe. Any number of servers may do this. */
export class AuthenticationConfig implements Component {
  readonly name = "extension-apiserver-authentication";
  readonly #server: ApiServer;
  readonly #own: AuthenticationInfo;

  constructor(server: ApiServer, own: AuthenticationInfo) {
    this.#server = server;
    this.#own = own;
  }

  async run({ signal, ready }: ComponentContext): Promise<void> {
    const work = new RepeatedWork({ clock: this.#server.clock, work: (_, stop) => this.#reconcile(stop) });
    ready();
    await followCache(this.#server, configMaps, signal, () => work.ask(key.name), key);
    await work.stop();
  }

  async #reconcile(signal: AbortSignal): Promise<number> {
    const { cacheReader, clock, logger } = this.#server;
    try {
      const present = cacheReader.get(configMaps, key);
      const data = authenticationData(this.#own, present?.data ?? {}, clock.now());
      if (present === undefined) await this.#create(data, signal);
      else if (!jsonEqual(present.data, data)) await this.#write("update", { ...present, data }, signal);
      return resyncMs;
    } catch (error) {
      // Another server was quicker, or this one stops.
      if (!signal.aborted && !isStatusError(error, "Conflict") && !isStatusError(error, "AlreadyExists")) {
        logger.warn("the authentication of servers behind this one could not be told", { error });
      }
      return retryMs;
    }
  }

  async #create(data: Readonly<Record<string, string>>, signal: AbortSignal): Promise<void> {
    if (this.#server.cacheReader.get(namespaces, { name: key.namespace }) === undefined)
      await this.#createNamespace(signal);
    await this.#write("create", { apiVersion: "v1", kind: "ConfigMap", metadata: key, data }, signal);
  }

  async #createNamespace(signal: AbortSignal): Promise<void> {
    const { group, version, resource } = namespaces;
    const body = { apiVersion: "v1", kind: "Namespace", metadata: { name: key.namespace } };
    try {
      await this.#server.handle({ verb: "create", group, version, resource, body, user: self, signal });
    } catch (error) {
      if (!isStatusError(error, "AlreadyExists")) throw error;
    }
  }

  async #write(verb: "create" | "update", body: object, signal: AbortSignal): Promise<void> {
    const { group, version, resource } = configMaps;
    const place = { group, version, resource, namespace: key.namespace };
    const name = verb === "update" ? { name: key.name } : {};
    await this.#server.handle({ verb, ...place, ...name, body, user: self, userAgent: "kube-apiserver", signal });
  }
}
