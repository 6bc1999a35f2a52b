import type {
  CSIDriver,
  CSINode,
  CSIStorageCapacity,
  DeviceClass,
  KubeObject,
  Namespace,
  PersistentVolume,
  PersistentVolumeClaim,
  PodDisruptionBudget,
  ReplicaSet,
  ReplicationController,
  ResourceClaim,
  ResourceSlice,
  Service,
  StatefulSet,
  StorageClass,
} from "../../api/index.js";

/** The part of an informer's lister that policies need; any informer's is one. */
export interface ObjectLister<T> {
  readonly size: number;
  /** By `namespace/name`, or `name` for what is cluster-scoped. */
  get(key: string): T | undefined;
  list(namespace?: string): Iterable<T>;
}

/** Local copies of what policies look up beside nodes and pods. */
export interface ClusterListers {
  readonly namespaces: ObjectLister<Namespace>;
  readonly services: ObjectLister<Service>;
  readonly replicationControllers: ObjectLister<ReplicationController>;
  readonly replicaSets: ObjectLister<ReplicaSet>;
  readonly statefulSets: ObjectLister<StatefulSet>;
  readonly podDisruptionBudgets: ObjectLister<PodDisruptionBudget>;
  readonly persistentVolumes: ObjectLister<PersistentVolume>;
  readonly persistentVolumeClaims: ObjectLister<PersistentVolumeClaim>;
  readonly storageClasses: ObjectLister<StorageClass>;
  readonly csiNodes: ObjectLister<CSINode>;
  readonly csiDrivers: ObjectLister<CSIDriver>;
  readonly csiStorageCapacities: ObjectLister<CSIStorageCapacity>;
  readonly resourceClaims: ObjectLister<ResourceClaim>;
  readonly resourceSlices: ObjectLister<ResourceSlice>;
  readonly deviceClasses: ObjectLister<DeviceClass>;
  /** Raised when what services, replica sets and the like select may have changed; absent: at any time. */
  readonly selectorsVersion?: () => number;
}

const none: ObjectLister<never> = { size: 0, get: () => undefined, list: () => [] };

/** No objects at all, or only those given: for tests and simulations. */
export function listersOf(given: Partial<ClusterListers> = {}): ClusterListers {
  return {
    namespaces: none,
    services: none,
    replicationControllers: none,
    replicaSets: none,
    statefulSets: none,
    podDisruptionBudgets: none,
    persistentVolumes: none,
    persistentVolumeClaims: none,
    storageClasses: none,
    csiNodes: none,
    csiDrivers: none,
    csiStorageCapacities: none,
    resourceClaims: none,
    resourceSlices: none,
    deviceClasses: none,
    ...given,
  };
}

/** A lister over fixed objects. */
export function listerOf<T extends KubeObject>(objects: readonly T[]): ObjectLister<T> {
  const byKey = new Map<string, T>();
  for (const object of objects) {
    const { namespace, name } = object.metadata;
    byKey.set(namespace ? `${namespace}/${name}` : name, object);
  }
  return {
    size: byKey.size,
    get: (key) => byKey.get(key),
    list: (namespace) =>
      namespace === undefined || namespace === ""
        ? byKey.values()
        : objects.filter((object) => object.metadata.namespace === namespace),
  };
}
