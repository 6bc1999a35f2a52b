import { type APIService, apiServices, type DiscoveredResource } from "../../api/index.js";
import type { Informer } from "../../client/index.js";
import type { ControllerContext } from "../controller.js";
import { isTrue } from "./conditions.js";

/** A server that takes longer is taken not to answer. */
const limitMs = 10_000;

/** What servers behind this one have, by APIServices. What one had stays known while it does not answer. */
export class RemoteResources {
  readonly #context: Pick<ControllerContext, "client" | "clock">;
  readonly #services: Informer<APIService>;
  readonly #known = new Map<string, readonly DiscoveredResource[]>();

  constructor(context: Pick<ControllerContext, "client" | "clock" | "informer">) {
    this.#context = context;
    this.#services = context.informer(apiServices);
  }

  /** Those known, each once, at the version that comes first. */
  all(): readonly DiscoveredResource[] {
    const found = new Map<string, DiscoveredResource>();
    for (const { spec } of this.#remote()) {
      for (const resource of this.#known.get(nameOf(spec)) ?? []) {
        const id = `${resource.group}/${resource.resource}`;
        if (!found.has(id)) found.set(id, resource);
      }
    }
    return [...found.values()];
  }

  /** Asks all of them. Gives back the group-versions of which it is not known what they have now: `metrics.k8s.io/v1beta1`. */
  async refresh(signal: AbortSignal): Promise<readonly string[]> {
    const failing: string[] = [];
    if (this.#context.client.transport.discover === undefined) return failing;
    const remote = this.#remote();
    for (const name of this.#known.keys()) {
      if (!remote.some(({ spec }) => nameOf(spec) === name)) this.#known.delete(name);
    }
    for (const { spec, status } of remote) {
      const name = nameOf(spec);
      try {
        if (!isTrue(status?.conditions, "Available")) throw new Error("the service is not available");
        this.#known.set(name, await this.#ask(spec?.group ?? "", spec?.version ?? "", signal));
      } catch {
        signal.throwIfAborted();
        failing.push(name);
      }
    }
    return failing.sort();
  }

  async #ask(group: string, version: string, signal: AbortSignal): Promise<readonly DiscoveredResource[]> {
    const { client, clock } = this.#context;
    const late = new AbortController();
    const timer = clock.setTimeout(() => late.abort(new Error("the server does not answer")), limitMs);
    try {
      return (await client.transport.discover?.({ group, version }, AbortSignal.any([signal, late.signal]))) ?? [];
    } finally {
      timer.cancel();
    }
  }

  #remote(): readonly APIService[] {
    return [...this.#services.list()]
      .filter(({ spec }) => spec?.service !== undefined)
      .sort((a, b) => (b.spec?.versionPriority ?? 0) - (a.spec?.versionPriority ?? 0));
  }
}

function nameOf(spec: APIService["spec"]): string {
  return `${spec?.group}/${spec?.version}`;
}
