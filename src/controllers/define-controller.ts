import { apiVersionOf, isStatusError, type KubeObject, keyOf, type ResourceType } from "../api/index.js";
import { type SharedInformerOptions, Workqueue } from "../client/index.js";
import type { Controller, ControllerContext, RunningController } from "./controller.js";
import { isNamespaceTerminating } from "./shared/pod-control.js";

/** Called with a key when something about it may have changed. A rejection brings the key back, later at every time. */
export type Reconcile = (key: string, context: ReconcileContext) => Promise<ReconcileResult> | ReconcileResult;

/** Nothing: done until something changes. */
// biome-ignore lint/suspicious/noConfusingVoidType: a reconcile function that returns nothing is the usual one.
export type ReconcileResult = void | { readonly requeueAfterMs: number } | undefined;

export interface ReconcileContext extends ControllerContext {
  readonly signal: AbortSignal;
  /** Has a key reconciled, now or later. */
  enqueue(key: string, delayMs?: number): void;
}

/** A resource that is watched for the sake of another. */
export interface Watch<T extends KubeObject = KubeObject> {
  readonly resource: ResourceType<T>;
  readonly options?: SharedInformerOptions<T>;
  /** The keys to reconcile when `object` changed (from `old`), appeared (no `old`) or went (`deleted`). */
  keys(object: T, change: { readonly old?: T; readonly deleted: boolean }): Iterable<string>;
}

export interface ControllerDefinition<T extends KubeObject> {
  readonly name: string;
  readonly aliases?: readonly string[];
  readonly optIn?: boolean;
  readonly eventSource?: string;
  readonly account?: string | false;
  /** The kind that is reconciled: each change of one has its key reconciled. */
  readonly for?: ResourceType<T>;
  /** Kinds made by this controller: a change has the key of the controlling owner reconciled, when that is of the kind `for`. */
  readonly owns?: readonly ResourceType[];
  readonly watches?: readonly Watch[];
  /** How many keys at once; one key is never worked on twice at a time. Default 5. */
  readonly concurrency?: number;
  readonly reconcile: Reconcile;
}

/** Makes a watch with its object's type checked. */
export function watching<T extends KubeObject>(watch: Watch<T>): Watch {
  // The informer of `resource` gives objects of its type only.
  return watch as unknown as Watch;
}

/** A controller from what it watches and what it does with a key. */
export function defineController<T extends KubeObject>(definition: ControllerDefinition<T>): Controller {
  return defineStatefulController({ ...definition, prepare: () => definition.reconcile });
}

export interface StatefulDefinition<T extends KubeObject> extends Omit<ControllerDefinition<T>, "reconcile"> {
  /** Called once for each run, before anything is watched: state lives in its closure. It may add handlers of its own. */
  prepare(context: ControllerContext, enqueue: (key: string, delayMs?: number) => void): Reconcile;
}

/** Like defineController, for those that keep state between calls. */
export function defineStatefulController<T extends KubeObject>(definition: StatefulDefinition<T>): Controller {
  const { name, aliases, optIn, eventSource, account } = definition;
  return {
    name,
    ...(aliases === undefined ? {} : { aliases }),
    ...(optIn === undefined ? {} : { optIn }),
    ...(eventSource === undefined ? {} : { eventSource }),
    ...(account === undefined ? {} : { account }),
    setup: (context) => new QueueController(definition, context),
  };
}

class QueueController<T extends KubeObject> implements RunningController {
  readonly #definition: StatefulDefinition<T>;
  readonly #context: ControllerContext;
  readonly #queue: Workqueue;
  readonly #reconcile: Reconcile;

  constructor(definition: StatefulDefinition<T>, context: ControllerContext) {
    this.#definition = definition;
    this.#context = context;
    this.#queue = new Workqueue({ clock: context.clock });
    this.#reconcile = definition.prepare(context, (key, delayMs = 0) => this.#queue.addAfter(key, delayMs));
    this.#watch();
  }

  get idle(): boolean {
    return this.#queue.idle;
  }

  async run(signal: AbortSignal): Promise<void> {
    const context: ReconcileContext = {
      ...this.#context,
      signal,
      enqueue: (key, delayMs = 0) => this.#queue.addAfter(key, delayMs),
    };
    const stop = (): void => this.#queue.shutDown();
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
    const { concurrency = 5 } = this.#definition;
    await Promise.all(Array.from({ length: concurrency }, () => this.#work(context)));
    signal.removeEventListener("abort", stop);
  }

  #watch(): void {
    const { for: primary, owns = [], watches = [] } = this.#definition;
    const add = (key: string): void => this.#queue.add(key);
    if (primary !== undefined) {
      this.#context.informer(primary).addHandler({
        add: (object) => add(keyOf(object)),
        update: (_, object) => add(keyOf(object)),
        delete: (object) => add(keyOf(object)),
      });
      const owner = (object: KubeObject): void => {
        const key = controllerKey(object, primary);
        if (key !== undefined) add(key);
      };
      for (const resource of owns) {
        this.#context.informer(resource).addHandler({
          add: owner,
          update: (old, object) => {
            owner(object);
            if (controllerKey(old, primary) !== controllerKey(object, primary)) owner(old);
          },
          delete: owner,
        });
      }
    }
    for (const watch of watches) {
      this.#context.informer(watch.resource, watch.options).addHandler({
        add: (object) => forEach(watch.keys(object, { deleted: false }), add),
        update: (old, object) => forEach(watch.keys(object, { old, deleted: false }), add),
        delete: (object) => forEach(watch.keys(object, { deleted: true }), add),
      });
    }
  }

  async #work(context: ReconcileContext): Promise<void> {
    for (let key = await this.#queue.next(); key !== undefined; key = await this.#queue.next()) {
      const startedAt = context.clock.now();
      let outcome: "success" | "error" | "requeue" = "success";
      try {
        const result = await this.#reconcile(key, context);
        this.#queue.forget(key);
        if (result !== undefined) {
          outcome = "requeue";
          this.#queue.addAfter(key, result.requeueAfterMs);
        }
      } catch (error) {
        if (isNamespaceTerminating(error)) {
          // Nothing can be made where everything goes, and soon this object goes too.
          this.#queue.forget(key);
        } else if (!context.signal.aborted) {
          outcome = "error";
          this.#complain(key, error);
          this.#queue.addRateLimited(key);
        }
      } finally {
        this.#queue.done(key);
      }
      context.metrics.reconciled?.(this.#definition.name, context.clock.now() - startedAt, outcome);
    }
  }

  #complain(key: string, error: unknown): void {
    const fields = { controller: this.#definition.name, key, error };
    // Somebody else was faster: looking again settles it, so nobody needs to read about it.
    if (isStatusError(error, "Conflict")) this.#context.logger.debug("reconcile met a conflict", fields);
    else this.#context.logger.warn("reconcile failed", fields);
  }
}

function controllerKey(object: KubeObject, owner: ResourceType): string | undefined {
  const ref = object.metadata.ownerReferences?.find((candidate) => candidate.controller === true);
  if (ref === undefined || ref.kind !== owner.kind || ref.apiVersion !== apiVersionOf(owner)) return undefined;
  const { namespace } = object.metadata;
  return owner.namespaced && namespace ? `${namespace}/${ref.name}` : ref.name;
}

function forEach(keys: Iterable<string>, add: (key: string) => void): void {
  for (const key of keys) add(key);
}
