import { type Definition, describeCustomResource, describeStorageVersion } from "../../api/custom/describe.js";
import { PatternError } from "../../api/custom/regex.js";
import {
  customResourceDefinitions,
  isStatusError,
  type JsonObject,
  type ResourceDescription,
  type UserInfo,
} from "../../api/index.js";
import { jsonEqual } from "../../api/json-value.js";
import { timestamp } from "../../internal/clock.js";
import type { Component, ComponentContext } from "../../internal/component.js";
import type { ApiServer } from "../server.js";
import { desiredStatus, withConditions } from "./conditions.js";
import { type ConvertObjects, conversionOf } from "./conversion.js";
import { cleanupFinalizer, deleteInstances } from "./finalizer.js";

export interface CustomResourcesOptions {
  /** Conversion of objects between versions, for definitions that ask for a webhook; absent: requests for other versions fail. */
  readonly webhook?: ConvertObjects;
  /** Conversion by a function of this process, by the name of the definition (`crontabs.stable.example.com`); it goes before all others. */
  readonly converters?: ReadonlyMap<string, ConvertFunction>;
}

/** Makes of an object one of another version of its kind. `apiVersion` is the wanted one. Metadata but labels and annotations is kept by the caller. */
export type ConvertFunction = (object: JsonObject, apiVersion: string) => JsonObject;

interface Served {
  /** What the descriptions were made from. */
  readonly source: unknown;
  readonly descriptions: readonly ResourceDescription[];
}

const self: UserInfo = { username: "system:apiserver", groups: ["system:masters"] };
const { group, version, resource } = customResourceDefinitions;

/** How long after a failure everything is looked at again. */
const retryMs = 1_000;

/**
 * Serves what CustomResourceDefinitions define, as soon as the watch cache knows of them: those that are established are served before the server
 * is ready. Judges their names, keeps their conditions, and deletes all objects of a definition that goes. Any number of servers may do
 * this on one store.
 */
export class CustomResources implements Component {
  readonly name = "custom-resources";
  readonly dependencies: readonly string[] = [];
  readonly #server: ApiServer;
  readonly #options: CustomResourcesOptions;
  /** The definitions as they were last seen, by name. */
  readonly #known = new Map<string, Definition>();
  readonly #served = new Map<string, Served>();
  /** Definitions whose objects are being deleted here. */
  readonly #cleaning = new Map<string, Promise<void>>();

  constructor(server: ApiServer, options: CustomResourcesOptions = {}) {
    this.#server = server;
    this.#options = options;
    server.cache.onLoad(() => this.#serveAll());
  }

  /** Follows the definitions until aborted. Runs beside the watch cache, and is ready at once. */
  async run({ signal, ready }: ComponentContext): Promise<void> {
    ready();
    while (!signal.aborted) {
      try {
        await this.#follow(signal);
      } catch (error) {
        if (signal.aborted) break;
        this.#server.logger.warn("custom resource definitions could not be followed", { error });
      }
      if (!signal.aborted) await this.#pause(signal);
    }
    await Promise.allSettled(this.#cleaning.values());
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const { cache } = this.#endpoint();
    const now = this.#server.cache.revision;
    const watcher = cache.watch({ prefix: cache.prefix }, now, now);
    const end = (): void => cache.unwatch(watcher);
    signal.addEventListener("abort", end, { once: true });
    if (signal.aborted) end();
    try {
      this.#serveAll();
      await this.#reconcile(new Set([...this.#known.values()].map(groupOf)), signal);
      for await (const batch of watcher.batches) {
        watcher.taken(batch.length);
        const groups = new Set<string>();
        for (const { type, stored } of batch) {
          const definition = stored.object as Definition;
          groups.add(groupOf(definition));
          if (type === "DELETED") this.#forget(nameOf(definition));
          else this.#observe(definition);
        }
        await this.#reconcile(groups, signal);
      }
    } finally {
      signal.removeEventListener("abort", end);
      cache.unwatch(watcher);
    }
  }

  /** Judges the definitions of some groups. Level-triggered: what is as it should be is left alone. */
  async #reconcile(groups: ReadonlySet<string>, signal: AbortSignal): Promise<void> {
    for (const name of [...this.#known.keys()]) {
      const definition = this.#known.get(name);
      if (definition === undefined || !groups.has(groupOf(definition))) continue;
      if (signal.aborted) return;
      try {
        await this.#judge(name, definition, signal);
      } catch (error) {
        if (isStatusError(error, "Conflict") || isStatusError(error, "NotFound")) continue;
        this.#server.logger.warn("a custom resource definition could not be brought up to date", { name, error });
      }
    }
  }

  async #judge(name: string, definition: Definition, signal: AbortSignal): Promise<void> {
    const others = [...this.#known].filter(
      ([other, { spec }]) => other !== name && spec?.group === definition.spec?.group,
    );
    const status = desiredStatus(
      definition,
      others.map(([, other]) => other),
      timestamp(this.#server.clock),
    );
    if (status !== definition.status) {
      const next = { ...definition, status };
      // Served before anybody can read that it is.
      this.#serve(name, next);
      await this.#writeStatus(next);
      await this.#server.cache.fresh(signal);
      const current = this.#current(name);
      if (current !== undefined) this.#observe(current);
    }
    if (definition.metadata?.deletionTimestamp !== undefined) this.#cleanUp(definition, signal);
  }

  #observe(definition: Definition): void {
    const name = nameOf(definition);
    this.#known.set(name, definition);
    this.#serve(name, definition);
  }

  #forget(name: string): void {
    this.#known.delete(name);
    for (const description of this.#served.get(name)?.descriptions ?? []) this.#server.removeResource(description);
    this.#served.delete(name);
  }

  /** Brings what is served in line with the definitions in the cache. */
  #serveAll(): void {
    const { cache } = this.#endpoint();
    const gone = new Set(this.#known.keys());
    for (const stored of cache.select({ prefix: cache.prefix })) {
      const definition = stored.object as Definition;
      gone.delete(nameOf(definition));
      this.#observe(definition);
    }
    for (const name of gone) this.#forget(name);
  }

  #serve(name: string, definition: Definition): void {
    const source = sourceOf(definition);
    const before = this.#served.get(name);
    if (before !== undefined && jsonEqual(before.source, source)) return;
    const descriptions = isEstablished(definition) ? this.#describe(definition) : [];
    this.#served.set(name, { source, descriptions });
    const old = new Map((before?.descriptions ?? []).map((description) => [keyOf(description), description]));
    for (const description of descriptions) {
      const replaced = old.get(keyOf(description));
      old.delete(keyOf(description));
      if (replaced === undefined) this.#server.addResource(description);
      else this.#server.replaceResource(replaced, description);
    }
    for (const description of old.values()) this.#server.removeResource(description);
  }

  #describe(definition: Definition): readonly ResourceDescription[] {
    try {
      return describeCustomResource(definition, { convert: this.#converter(definition) });
    } catch (error) {
      // Only from a store that others have written to: ours refuses such definitions.
      if (!(error instanceof PatternError)) throw error;
      this.#server.logger.error("a custom resource definition cannot be served", { name: nameOf(definition), error });
      return [];
    }
  }

  #converter(definition: Definition): ReturnType<typeof conversionOf> {
    return conversionOf(definition, this.#options.converters?.get(nameOf(definition)), this.#options.webhook);
  }

  /** One at a time for each definition; it ends when nothing is left or when it must be tried again. */
  #cleanUp(definition: Definition, signal: AbortSignal): void {
    const name = nameOf(definition);
    if (this.#cleaning.has(name) || definition.metadata?.finalizers?.includes(cleanupFinalizer) !== true) return;
    const work = this.#deleteAll(definition, signal)
      .catch((error: unknown) => {
        if (!signal.aborted) this.#server.logger.warn("objects of a definition could not be deleted", { name, error });
      })
      .finally(() => this.#cleaning.delete(name));
    this.#cleaning.set(name, work);
  }

  async #deleteAll(definition: Definition, signal: AbortSignal): Promise<void> {
    const now = timestamp(this.#server.clock);
    const begun = withTerminating(definition, now, {
      status: "True",
      reason: "InstanceDeletionInProgress",
      message: "CustomResource deletion is in progress",
    });
    const description = describeStorageVersion(definition, { convert: this.#converter(definition) });
    await this.#retry(signal, nameOf(definition), () => begun);
    if (description !== undefined) await deleteInstances(this.#server, description, signal);
    await this.#retry(signal, nameOf(definition), (current) =>
      withTerminating(current, timestamp(this.#server.clock), {
        status: "False",
        reason: "InstanceDeletionCompleted",
        message: "removed all instances",
      }),
    );
    await this.#retry(signal, nameOf(definition), undefined, (current) => ({
      ...current,
      metadata: {
        ...current.metadata,
        finalizers: (current.metadata?.finalizers ?? []).filter((finalizer) => finalizer !== cleanupFinalizer),
      },
    }));
  }

  /** Changes status, or the object, on its newest state; gone is done. */
  async #retry(
    signal: AbortSignal,
    name: string,
    status?: (current: Definition) => Definition,
    change?: (current: Definition) => Definition,
  ): Promise<void> {
    while (!signal.aborted) {
      const current = this.#current(name);
      if (current === undefined) return;
      try {
        if (status !== undefined) await this.#writeStatus({ ...current, status: status(current).status });
        if (change !== undefined) await this.#write(change(current));
        return;
      } catch (error) {
        if (isStatusError(error, "NotFound")) return;
        if (!isStatusError(error, "Conflict")) throw error;
        // The cache has not seen yet what the store has.
        await this.#server.cache.fresh(signal);
      }
    }
  }

  #writeStatus(definition: Definition): Promise<unknown> {
    return this.#write(definition, "status");
  }

  #write(definition: Definition, subresource?: string): Promise<unknown> {
    return this.#server.handle({
      verb: "update",
      group,
      version,
      resource,
      name: nameOf(definition),
      body: definition,
      user: self,
      userAgent: "kube-apiserver",
      ...(subresource === undefined ? {} : { subresource }),
    });
  }

  #endpoint(): ReturnType<ApiServer["endpointFor"]> {
    return this.#server.endpointFor(customResourceDefinitions);
  }

  #current(name: string): Definition | undefined {
    const endpoint = this.#endpoint();
    return endpoint.cache.get(endpoint.keyOf(undefined, name))?.object as Definition | undefined;
  }

  #pause(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#server.clock.setTimeout(done, retryMs);
      function done(): void {
        timer.cancel();
        signal.removeEventListener("abort", done);
        resolve();
      }
      signal.addEventListener("abort", done, { once: true });
    });
  }
}

/** Serves custom resources on a server: makes the component that keeps doing it. Must be called before the server's cache is run. */
export function crds(server: ApiServer, options: CustomResourcesOptions = {}): CustomResources {
  return new CustomResources(server, options);
}

function nameOf(definition: Definition): string {
  return definition.metadata?.name ?? "";
}

function groupOf(definition: Definition): string {
  return definition.spec?.group ?? "";
}

function keyOf(description: ResourceDescription): string {
  return `${description.group}/${description.version}/${description.resource}`;
}

function isEstablished({ status }: Definition): boolean {
  return status?.conditions?.some(({ type, status: value }) => type === "Established" && value === "True") === true;
}

/** All that a description depends on. */
function sourceOf(definition: Definition): unknown {
  return {
    spec: definition.spec,
    names: definition.status?.acceptedNames,
    established: isEstablished(definition),
    terminating: definition.metadata?.deletionTimestamp !== undefined,
  };
}

function withTerminating(
  definition: Definition,
  now: string,
  condition: { readonly status: "True" | "False"; readonly reason: string; readonly message: string },
): Definition {
  const conditions = withConditions(definition.status?.conditions ?? [], [{ type: "Terminating", ...condition }], now);
  return { ...definition, status: { ...definition.status, conditions } };
}
