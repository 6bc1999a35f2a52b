import {
  ingressClasses,
  type JsonObject,
  type KubeObject,
  type PersistentVolumeClaim,
  runtimeClasses,
  storageClasses,
} from "../../api/index.js";
import type { AdmissionPlugin, AdmissionRequest, CacheReader } from "./admission.js";
import { metadataOf, onPods, podSpecOf, refuse, specOf, withMetadata, withSpec } from "./objects.js";

interface Deps {
  readonly cache: CacheReader;
}

function creates(group: string, resource: string): (request: AdmissionRequest) => boolean {
  return (request) =>
    request.operation === "CREATE" &&
    request.group === group &&
    request.resource === resource &&
    request.subresource === "";
}

/** Of several that are marked, the newest, then the first by name. */
function newest<T extends KubeObject>(marked: readonly T[]): T | undefined {
  return [...marked].sort((left, right) => {
    const byTime = Date.parse(right.metadata.creationTimestamp) - Date.parse(left.metadata.creationTimestamp);
    return byTime !== 0 ? byTime : (left.metadata.name ?? "") < (right.metadata.name ?? "") ? -1 : 1;
  })[0];
}

function isMarked(object: KubeObject, annotation: string): boolean {
  return object.metadata.annotations?.[annotation] === "true";
}

/** A claim that names no class gets the default one. */
export function defaultStorageClass({ cache }: Deps): AdmissionPlugin {
  return {
    name: "DefaultStorageClass",
    handles: creates("", "persistentvolumeclaims"),
    admit(request) {
      const object = request.object ?? {};
      const named = specOf<PersistentVolumeClaim>(object).storageClassName !== undefined;
      const annotated = Object.hasOwn(metadataOf(object).annotations ?? {}, "volume.beta.kubernetes.io/storage-class");
      if (named || annotated) return object;
      const marked = cache
        .list(storageClasses)
        .filter(
          (one) =>
            isMarked(one, "storageclass.kubernetes.io/is-default-class") ||
            isMarked(one, "storageclass.beta.kubernetes.io/is-default-class"),
        );
      const found = newest(marked);
      return found === undefined ? object : withSpec(object, { storageClassName: found.metadata.name });
    },
  };
}

/** An ingress that names no class gets the default one. */
export function defaultIngressClass({ cache }: Deps): AdmissionPlugin {
  return {
    name: "DefaultIngressClass",
    handles: creates("networking.k8s.io", "ingresses"),
    admit(request) {
      const object = request.object ?? {};
      const spec = object["spec"] as JsonObject | undefined;
      const annotated = Object.hasOwn(metadataOf(object).annotations ?? {}, "kubernetes.io/ingress.class");
      if (spec?.["ingressClassName"] !== undefined || annotated) return object;
      const found = newest(
        cache.list(ingressClasses).filter((one) => isMarked(one, "ingressclass.kubernetes.io/is-default-class")),
      );
      return found === undefined ? object : withSpec(object, { ingressClassName: found.metadata.name });
    },
  };
}

const protection: ReadonlyMap<string, string> = new Map([
  ["/persistentvolumes", "kubernetes.io/pv-protection"],
  ["/persistentvolumeclaims", "kubernetes.io/pvc-protection"],
  ["storage.k8s.io/volumeattributesclasses", "kubernetes.io/vac-protection"],
]);

/** Volumes and claims are not removed while they are used: their finalizer is there from the start. */
export const storageObjectInUseProtection: AdmissionPlugin = {
  name: "StorageObjectInUseProtection",
  handles: (request) =>
    request.operation === "CREATE" &&
    request.subresource === "" &&
    protection.has(`${request.group}/${request.resource}`),
  admit(request) {
    const object = request.object ?? {};
    const finalizer = protection.get(`${request.group}/${request.resource}`) ?? "";
    const finalizers = metadataOf(object).finalizers ?? [];
    return finalizers.includes(finalizer) ? object : withMetadata(object, { finalizers: [...finalizers, finalizer] });
  },
};

/** A pod of a runtime class costs what the class says, and runs where it says. */
export function runtimeClass({ cache }: Deps): AdmissionPlugin {
  return {
    name: "RuntimeClass",
    handles: onPods(["CREATE"]),
    admit(request) {
      const object = request.object ?? {};
      const spec = podSpecOf(object);
      const name = spec.runtimeClassName;
      if (!name) {
        if (spec.overhead !== undefined && Object.keys(spec.overhead).length > 0) {
          throw refuse(request, "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead");
        }
        return object;
      }
      const found = cache.get(runtimeClasses, { name });
      if (found === undefined) throw refuse(request, `pod rejected: RuntimeClass ${JSON.stringify(name)} not found`);
      const overhead = found.overhead?.podFixed;
      const { nodeSelector, tolerations } = found.scheduling ?? {};
      for (const [key, value] of Object.entries(nodeSelector ?? {})) {
        const own = spec.nodeSelector?.[key];
        if (own !== undefined && own !== value) {
          throw refuse(
            request,
            `conflict: runtimeClass.scheduling.nodeSelector[${key}] = ${value}; pod.spec.nodeSelector[${key}] = ${own}`,
          );
        }
      }
      return withSpec(object, {
        ...(overhead === undefined ? {} : { overhead }),
        ...(nodeSelector === undefined ? {} : { nodeSelector: { ...spec.nodeSelector, ...nodeSelector } }),
        ...(tolerations === undefined ? {} : { tolerations: [...(spec.tolerations ?? []), ...tolerations] }),
      });
    },
  };
}
