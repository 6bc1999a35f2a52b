import { type KubeObject, qualifiedResource, type ResourceType } from "../../api/index.js";
import { createInformer, type InformerHandler } from "../../client/index.js";
import type { ControllerContext } from "../controller.js";

/** Watches of resources that come and go with their definitions. */
export class CustomWatches {
  readonly #context: ControllerContext;
  readonly #handler: (resource: ResourceType) => InformerHandler<KubeObject>;
  readonly #running = new Map<string, { readonly stop: AbortController; readonly ended: Promise<void> }>();

  constructor(context: ControllerContext, handler: (resource: ResourceType) => InformerHandler<KubeObject>) {
    this.#context = context;
    this.#handler = handler;
  }

  /** Watches these from now on and no others, until `signal` aborts. */
  follow(resources: readonly ResourceType[], signal: AbortSignal): void {
    if (signal.aborted) return;
    const wanted = new Map(
      resources.map((resource) => [`${qualifiedResource(resource)}/${resource.version}`, resource]),
    );
    for (const [id, { stop }] of this.#running) {
      if (wanted.has(id)) continue;
      stop.abort();
      this.#running.delete(id);
    }
    for (const [id, resource] of wanted) {
      if (this.#running.has(id)) continue;
      const stop = new AbortController();
      const { client, clock, random, logger } = this.#context;
      const informer = createInformer({ client, resource, clock, random, logger });
      informer.addHandler(this.#handler(resource));
      this.#running.set(id, { stop, ended: informer.run(AbortSignal.any([signal, stop.signal])) });
    }
  }

  /** Resolves when none runs any more. */
  async stop(): Promise<void> {
    const running = [...this.#running.values()];
    for (const { stop } of running) stop.abort();
    await Promise.all(running.map(({ ended }) => ended));
  }
}
