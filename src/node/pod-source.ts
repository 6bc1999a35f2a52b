import { type Pod, pods } from "../api/index.js";
import { type Client, createInformer, type Informer } from "../client/index.js";
import type { Clock } from "../internal/clock.js";
import type { Logger } from "../internal/logger.js";
import type { Random } from "../internal/random.js";

/** What a node hears about its pods. Called synchronously, in the order of the changes. */
export interface PodHandler {
  set(pod: Pod): void;
  /** The pod is gone from the API. */
  remove(pod: Pod): void;
}

/**
 * The pods bound to nodes. Many agents in one process share one source, so that the API server serves one watch;
 * an agent of its own watches only what its node may see.
 */
export interface PodSource {
  /** First `set` for all that is there. A node has one handler at a time; the returned function ends the calls. */
  subscribe(nodeName: string, handler: PodHandler): () => void;
  /** Resolves when all pods that existed at the start were handed out. */
  whenSynced(signal: AbortSignal): Promise<void>;
  /** Watches until `signal` aborts. To be called once. */
  run(signal: AbortSignal): Promise<void>;
}

export interface PodSourceOptions {
  readonly client: Client;
  /** Only this node's pods; absent: those of all nodes. */
  readonly nodeName?: string | undefined;
  readonly clock?: Clock | undefined;
  readonly random?: Random | undefined;
  readonly logger?: Logger | undefined;
}

export function createPodSource(options: PodSourceOptions): PodSource {
  const { nodeName, ...rest } = options;
  const fieldSelector = nodeName === undefined ? "spec.nodeName!=" : `spec.nodeName=${nodeName}`;
  return new InformerPodSource(createInformer({ ...rest, resource: pods, fieldSelector }), true);
}

/** Pods from an informer that others run, which may know unbound pods too. */
export function podSourceOf(informer: Informer<Pod>): PodSource {
  return new InformerPodSource(informer, false);
}

class InformerPodSource implements PodSource {
  readonly #informer: Informer<Pod>;
  readonly #owned: boolean;
  readonly #handlers = new Map<string, PodHandler>();

  constructor(informer: Informer<Pod>, owned: boolean) {
    this.#informer = informer;
    this.#owned = owned;
    informer.addIndex("node", (pod) => (pod.spec?.nodeName ? [pod.spec.nodeName] : []));
    informer.addHandler({
      add: (pod) => this.#handlerOf(pod)?.set(pod),
      update: (_, pod) => this.#handlerOf(pod)?.set(pod),
      delete: (pod) => this.#handlerOf(pod)?.remove(pod),
    });
  }

  subscribe(nodeName: string, handler: PodHandler): () => void {
    this.#handlers.set(nodeName, handler);
    for (const pod of [...this.#informer.byIndex("node", nodeName)]) handler.set(pod);
    return () => {
      if (this.#handlers.get(nodeName) === handler) this.#handlers.delete(nodeName);
    };
  }

  whenSynced(signal: AbortSignal): Promise<void> {
    return this.#informer.whenSynced(signal);
  }

  async run(signal: AbortSignal): Promise<void> {
    if (this.#owned) await this.#informer.run(signal);
  }

  #handlerOf(pod: Pod): PodHandler | undefined {
    const nodeName = pod.spec?.nodeName;
    return nodeName ? this.#handlers.get(nodeName) : undefined;
  }
}
