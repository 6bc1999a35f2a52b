import {
  csiDrivers,
  csiNodes,
  csiStorageCapacities,
  deviceClasses,
  type KubeObject,
  namespaces,
  nodes,
  type Pod,
  persistentVolumeClaims,
  persistentVolumes,
  podDisruptionBudgets,
  pods,
  type ResourceType,
  replicaSets,
  replicationControllers,
  resourceClaims,
  resourceSlices,
  services,
  statefulSets,
  storageClasses,
} from "../api/index.js";
import type { Informer, InformerFactory } from "../client/index.js";
import type { SchedulerCore } from "./core.js";
import type { ClusterListers } from "./framework/listers.js";
import type { EventResource } from "./framework/policy.js";

/** Finished pods take nothing of their nodes; the scheduler never hears of them, or hears that they are gone. */
const unfinished = "status.phase!=Succeeded,status.phase!=Failed";

/** The informers that the scheduler needs, and their way into its core. */
export class ClusterFeed {
  readonly listers: ClusterListers;
  readonly #factory: InformerFactory;
  #selectorsVersion = 0;

  constructor(factory: InformerFactory) {
    this.#factory = factory;
    this.listers = {
      namespaces: factory.informer(namespaces),
      services: factory.informer(services),
      replicationControllers: factory.informer(replicationControllers),
      replicaSets: factory.informer(replicaSets),
      statefulSets: factory.informer(statefulSets),
      podDisruptionBudgets: factory.informer(podDisruptionBudgets),
      persistentVolumes: factory.informer(persistentVolumes),
      persistentVolumeClaims: factory.informer(persistentVolumeClaims),
      storageClasses: factory.informer(storageClasses),
      csiNodes: factory.informer(csiNodes),
      csiDrivers: factory.informer(csiDrivers),
      csiStorageCapacities: factory.informer(csiStorageCapacities),
      resourceClaims: factory.informer(resourceClaims),
      resourceSlices: factory.informer(resourceSlices),
      deviceClasses: factory.informer(deviceClasses),
      selectorsVersion: () => this.#selectorsVersion,
    };
  }

  /** From now on the core is told of everything. Nodes and pods first come with the informers' first lists. */
  connect(core: SchedulerCore): void {
    this.#factory.informer(nodes).addHandler({
      add: (node) => core.setNode(node),
      update: (_, node) => core.setNode(node),
      delete: (node) => core.deleteNode(node),
    });
    this.#factory.informer(pods, { fieldSelector: unfinished }).addHandler({
      add: (pod) => (isFinished(pod) ? undefined : core.setPod(pod, undefined)),
      update: (old, pod) => (isFinished(pod) ? core.deletePod(pod) : core.setPod(pod, old)),
      delete: (pod) => core.deletePod(pod),
    });
    this.#watchSelectors(core, services, "Service", ({ spec }) => spec?.selector);
    this.#watchSelectors(core, replicationControllers, "ReplicationController", ({ spec }) => spec?.selector);
    this.#watchSelectors(core, replicaSets, "ReplicaSet", ({ spec }) => spec?.selector);
    this.#watchSelectors(core, statefulSets, "StatefulSet", ({ spec }) => spec?.selector);
    this.#watch(core, namespaces, "Namespace", ({ metadata }) => metadata.labels);
    this.#watch(core, persistentVolumes, "PersistentVolume");
    this.#watch(core, persistentVolumeClaims, "PersistentVolumeClaim");
    this.#watch(core, storageClasses, "StorageClass");
    this.#watch(core, csiNodes, "CSINode");
    this.#watch(core, csiDrivers, "CSIDriver");
    this.#watch(core, csiStorageCapacities, "CSIStorageCapacity");
    this.#watch(core, resourceClaims, "ResourceClaim");
    this.#watch(core, resourceSlices, "ResourceSlice");
    this.#watch(core, deviceClasses, "DeviceClass");
  }

  #watchSelectors<T extends KubeObject>(
    core: SchedulerCore,
    resource: ResourceType<T>,
    name: EventResource,
    selector: (object: T) => unknown,
  ): void {
    this.#watch(core, resource, name, selector, () => {
      this.#selectorsVersion++;
    });
  }

  /** `part` is what matters of the objects; updates that leave it alone are not told. */
  #watch<T extends KubeObject>(
    core: SchedulerCore,
    resource: ResourceType<T>,
    name: EventResource,
    part?: (object: T) => unknown,
    before?: () => void,
  ): void {
    const informer: Informer<T> = this.#factory.informer(resource);
    informer.addHandler({
      add(object) {
        before?.();
        core.notice({ resource: name, actions: ["Add"], object });
      },
      update(old, object) {
        if (part !== undefined && JSON.stringify(part(old)) === JSON.stringify(part(object))) return;
        before?.();
        core.notice({ resource: name, actions: ["Update"], old, object });
      },
      delete(old) {
        before?.();
        core.notice({ resource: name, actions: ["Delete"], old });
      },
    });
  }
}

function isFinished({ status }: Pod): boolean {
  return status?.phase === "Succeeded" || status?.phase === "Failed";
}
