import { setMaxListeners } from "node:events";
import type { KubeObject, ResourceType } from "../api/index.js";
import type { Clock } from "../internal/clock.js";
import type { Logger } from "../internal/logger.js";
import type { Random } from "../internal/random.js";
import type { Client } from "./client.js";
import { createInformer, type Informer, type InformerOptions } from "./informer.js";

export interface InformerFactoryOptions {
  readonly client: Client;
  readonly clock?: Clock | undefined;
  readonly random?: Random | undefined;
  readonly logger?: Logger | undefined;
  readonly streamingList?: boolean | undefined;
}

export type SharedInformerOptions<T extends KubeObject> = Pick<
  InformerOptions<T>,
  "namespace" | "labelSelector" | "fieldSelector" | "indexers"
>;

/**
 * One informer per resource and selector, however many ask for it. An informer asked for after `start` starts at once.
 */
export class InformerFactory implements AsyncDisposable {
  readonly client: Client;
  readonly #options: InformerFactoryOptions;
  readonly #informers = new Map<string, Informer<KubeObject>>();
  readonly #stop = new AbortController();
  readonly #running = new Set<Promise<void>>();
  #started = false;

  constructor(options: InformerFactoryOptions) {
    this.client = options.client;
    this.#options = options;
    // Every informer listens to it, and there may be many.
    setMaxListeners(0, this.#stop.signal);
  }

  informer<T extends KubeObject>(resource: ResourceType<T>, options: SharedInformerOptions<T> = {}): Informer<T> {
    const { namespace = "", labelSelector = "", fieldSelector = "", indexers = {} } = options;
    const id = [resource.group, resource.version, resource.resource, namespace, labelSelector, fieldSelector].join(
      "\n",
    );
    const known = this.#informers.get(id);
    if (known !== undefined) {
      // The id holds the resource, and a resource has one type of object.
      const shared = known as unknown as Informer<T>;
      for (const [name, valuesOf] of Object.entries(indexers)) shared.addIndex(name, valuesOf);
      return shared;
    }
    const { client, clock, random, logger, streamingList } = this.#options;
    const informer = createInformer({ ...options, client, resource, clock, random, logger, streamingList });
    this.#informers.set(id, informer as unknown as Informer<KubeObject>);
    if (this.#started) this.#run(informer);
    return informer;
  }

  /** Starts what was asked for so far. Stops with `signal` or with the factory's disposal. */
  start(signal?: AbortSignal): void {
    if (this.#started) return;
    this.#started = true;
    if (signal?.aborted) this.#stop.abort(signal.reason);
    signal?.addEventListener("abort", () => this.#stop.abort(signal.reason), { once: true });
    for (const informer of this.#informers.values()) this.#run(informer);
  }

  /** Resolves when every informer that was asked for has its first list. */
  async whenSynced(signal?: AbortSignal): Promise<void> {
    await Promise.all(
      [...this.#informers.values()].map((informer) => informer.whenSynced(signal ?? this.#stop.signal)),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#running);
  }

  #run<T extends KubeObject>(informer: Informer<T>): void {
    const running = informer.run(this.#stop.signal).finally(() => this.#running.delete(running));
    this.#running.add(running);
  }
}
