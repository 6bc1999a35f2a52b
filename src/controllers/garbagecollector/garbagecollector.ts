import {
  apiServices,
  customResourceDefinitions,
  type KubeObject,
  type ObjectMeta,
  type ResourceType,
} from "../../api/index.js";
import type { InformerHandler } from "../../client/index.js";
import { every } from "../../internal/clock.js";
import type { Controller, ControllerContext, RunningController } from "../controller.js";
import { defineStatefulController } from "../define-controller.js";
import { CustomWatches } from "../shared/custom-watches.js";
import { type Discovery, discoverFrom } from "../shared/discovery.js";
import { Collector } from "./collector.js";
import { foreground, type GraphNode, isDeleting, OwnerGraph, orphan } from "./graph.js";

/** They come and go in masses, and own nothing. */
const ignored: ReadonlySet<string> = new Set(["events"]);

const refreshMs = 30_000;

/** Deletes objects whose owners are gone, over all resources, custom ones and those of other servers included. */
export const garbageCollector: Controller = {
  name: "garbage-collector-controller",
  account: "generic-garbage-collector",
  aliases: ["garbagecollector"],
  setup: (context) => new GarbageCollector(context),
};

class GarbageCollector implements RunningController {
  readonly #context: ControllerContext;
  readonly #graph = new OwnerGraph();
  readonly #discovery: Discovery;
  readonly #collector: Collector;
  readonly #queue: RunningController;
  #enqueue: (uid: string) => void = () => {};
  #refreshing: Promise<void> | undefined;
  #refreshWanted = false;
  /** Of custom resources, and of those of other servers, each until its definition or APIService goes. */
  readonly #custom: CustomWatches;

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#discovery = discoverFrom(context);
    this.#custom = new CustomWatches(context, (resource) => this.#handler(resource));
    this.#collector = new Collector(this.#graph, this.#discovery);
    this.#queue = defineStatefulController({
      name: garbageCollector.name,
      concurrency: 20,
      prepare: (_, enqueue) => {
        this.#enqueue = enqueue;
        return (uid, reconcile) => this.#collector.process(uid, reconcile);
      },
    }).setup(context);
    for (const resource of this.#discovery.resources()) {
      if (!ignored.has(resource.resource)) context.informer(resource).addHandler(this.#handler(resource));
    }
  }

  get idle(): boolean {
    return this.#queue.idle;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, informer } = this.#context;
    const sync = (): void => this.#custom.follow(this.#discovery.custom(), signal);
    const refresh = (): Promise<void> => this.#refresh(signal);
    const registrations = [
      informer(customResourceDefinitions).addHandler({ batch: sync }),
      informer(apiServices).addHandler({ batch: () => void refresh() }),
    ];
    sync();
    try {
      // A server behind this one may have other resources after it was started anew.
      await Promise.all([this.#queue.run(signal), every(clock, refreshMs, signal, refresh)]);
    } finally {
      for (const registration of registrations) registration.remove();
      await this.#refreshing;
      await this.#custom.stop();
    }
  }

  /** One at a time: who comes while one is under way gets another after it. */
  #refresh(signal: AbortSignal): Promise<void> {
    this.#refreshWanted = true;
    this.#refreshing ??= (async () => {
      while (this.#refreshWanted && !signal.aborted) {
        this.#refreshWanted = false;
        await this.#discovery.refresh(signal).catch(() => {});
        this.#custom.follow(this.#discovery.custom(), signal);
      }
      this.#refreshing = undefined;
    })();
    return this.#refreshing;
  }

  #handler(resource: ResourceType): InformerHandler<KubeObject> {
    return {
      add: (object) => this.#put(resource, object),
      update: (_, object) => this.#put(resource, object),
      delete: (object) => this.#removed(object.metadata.uid),
    };
  }

  #put(resource: ResourceType, object: KubeObject): void {
    const { node, before } = this.#graph.put(resource, object);
    if (isDeleting(node)) this.#deleting(node, before);
    else if (
      before === undefined ? hasOwners(object.metadata) : before.ownerReferences !== object.metadata.ownerReferences
    ) {
      this.#check(node);
    }
  }

  /** Whether an owner is missing is only worth a look when the graph does not have it. */
  #check(node: GraphNode): void {
    const owners = node.metadata.ownerReferences ?? [];
    const suspect = owners.some(({ uid }) => {
      const owner = this.#graph.get(uid);
      return owner === undefined || isDeleting(owner) || owner.metadata.namespace !== node.metadata.namespace;
    });
    if (suspect) this.#enqueue(node.uid);
  }

  #deleting(node: GraphNode, before: ObjectMeta | undefined): void {
    const finalizers = node.metadata.finalizers ?? [];
    if (finalizers.includes(orphan)) this.#enqueue(node.uid);
    if (!finalizers.includes(foreground)) return;
    this.#enqueue(node.uid);
    const known = before?.deletionTimestamp !== undefined && (before.finalizers ?? []).includes(foreground);
    if (!known) for (const dependent of this.#graph.dependentsOf(node.uid)) this.#enqueue(dependent.uid);
  }

  #removed(uid: string): void {
    const node = this.#graph.remove(uid);
    this.#collector.noteAbsent(uid);
    for (const dependent of this.#graph.dependentsOf(uid)) this.#enqueue(dependent.uid);
    for (const owner of node?.metadata.ownerReferences ?? []) {
      const above = this.#graph.get(owner.uid);
      if (above !== undefined && isDeleting(above)) this.#enqueue(above.uid);
    }
  }
}

function hasOwners({ ownerReferences = [] }: ObjectMeta): boolean {
  return ownerReferences.length > 0;
}
