import {
  type Node,
  type PersistentVolume,
  type PersistentVolumeClaim,
  type Pod,
  persistentVolumeClaims,
  persistentVolumes,
} from "../../api/index.js";
import { sleep } from "../../internal/clock.js";
import type { ClusterListers } from "../framework/listers.js";
import { type Rejection, type SchedulingPolicy, unresolvable, type Verdict } from "../framework/policy.js";
import { claimNames, classOf, hasClaims, isBound, isDelayed, volumeFitsNode } from "./volume-claims.js";
import { canProvision, findVolume, selectedNodeAnnotation } from "./volume-matching.js";

export interface VolumeBindingArgs {
  /** How long a pod waits for its volumes to be bound or made; default 600. */
  readonly bindTimeoutSeconds?: number;
}

const affinityConflict = unresolvable("node(s) didn't match PersistentVolume's node affinity");
const noVolume = unresolvable("node(s) didn't find available persistent volumes to bind");
const noStorage = unresolvable("node(s) did not have enough free storage");
const lostVolume = unresolvable("node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)");
const immediate = unresolvable("pod has unbound immediate PersistentVolumeClaims");

/** What has to be done for the claims of a pod before it can run on a node. */
interface Plan {
  /** Claim key to volume name. */
  readonly bind: ReadonlyMap<string, string>;
  readonly provision: readonly string[];
}

/** Sees that a pod's volumes can be reached from its node, and binds those that waited for the choice of one. */
export function volumeBinding(args: VolumeBindingArgs = {}): SchedulingPolicy {
  const timeoutMs = (args.bindTimeoutSeconds ?? 600) * 1000;
  /** Volumes promised to claims of pods that are being bound. */
  const promised = new Map<string, string>();
  const planFor = (pod: Pod, node: Node, listers: ClusterListers): Plan | Rejection =>
    plan(pod, node, listers, (volume, claim) => (promised.get(volume) ?? claim) !== claim);
  return {
    name: "VolumeBinding",
    preFilter: (pod, { snapshot }) => (hasClaims(pod) ? checkClaims(pod, snapshot.listers) : { skip: true }),
    filter(pod, { node }, { snapshot }) {
      const result = planFor(pod, node, snapshot.listers);
      return "reasons" in result ? result : undefined;
    },
    concerns: hasClaims,
    reserve(pod, { node }, { snapshot, state }) {
      const result = planFor(pod, node, snapshot.listers);
      if ("reasons" in result) return result;
      for (const [claim, volume] of result.bind) promised.set(volume, claim);
      state.set("VolumeBinding", result);
      return undefined;
    },
    unreserve(_pod, _node, { state }) {
      const result = state.get("VolumeBinding") as Plan | undefined;
      for (const [claim, volume] of result?.bind ?? []) if (promised.get(volume) === claim) promised.delete(volume);
    },
    async preBind(pod, node, { snapshot, state, host }, signal): Promise<Verdict> {
      const result = state.get("VolumeBinding") as Plan | undefined;
      if (result === undefined || host === undefined || result.bind.size + result.provision.length === 0)
        return undefined;
      const { listers } = snapshot;
      const { client, clock } = host;
      for (const [key, name] of result.bind) {
        const claim = listers.persistentVolumeClaims.get(key);
        const volume = listers.persistentVolumes.get(name);
        if (claim === undefined) return `persistentvolumeclaim ${JSON.stringify(key)} not found`;
        if (volume === undefined) return `persistentvolume ${JSON.stringify(name)} not found`;
        await client.patch(persistentVolumes, { name }, { type: "merge", body: prebound(volume, claim) }, { signal });
      }
      const selected = new Map<string, bigint>();
      for (const key of result.provision) {
        const claim = listers.persistentVolumeClaims.get(key);
        if (claim === undefined) return `persistentvolumeclaim ${JSON.stringify(key)} not found`;
        const { resourceVersion } = claim.metadata;
        const body = { metadata: { resourceVersion, annotations: { [selectedNodeAnnotation]: node.name } } };
        const written = await client.patch(persistentVolumeClaims, claim.metadata, { type: "merge", body }, { signal });
        selected.set(key, BigInt(written.metadata.resourceVersion));
      }
      const deadline = clock.now() + timeoutMs;
      while (!claimNames(pod).every(({ key }) => bound(listers.persistentVolumeClaims.get(key)))) {
        if (clock.now() >= deadline) return "binding volumes: context deadline exceeded";
        for (const [key, version] of selected) {
          const claim = listers.persistentVolumeClaims.get(key);
          // Whoever provisions takes the choice back when the volume cannot be made there.
          if (
            claim !== undefined &&
            BigInt(claim.metadata.resourceVersion) >= version &&
            !isSelected(claim, node.name)
          ) {
            return `binding volumes: provisioning failed for PVC ${JSON.stringify(claim.metadata.name)}`;
          }
        }
        await sleep(clock, 100, signal);
        if (signal.aborted) return "the scheduler is stopping";
      }
      for (const volume of result.bind.values()) promised.delete(volume);
      return undefined;
    },
    requeueWhen: [
      { resource: "Node", actions: ["Add", "UpdateNodeLabel"] },
      { resource: "PersistentVolume" },
      { resource: "PersistentVolumeClaim" },
      { resource: "StorageClass" },
      { resource: "CSINode" },
      { resource: "CSIDriver" },
      { resource: "CSIStorageCapacity" },
    ],
    vector: { key: ({ pod }) => (hasClaims(pod) ? undefined : ""), compile: () => undefined },
  };
}

function bound(claim: PersistentVolumeClaim | undefined): boolean {
  return claim !== undefined && isBound(claim);
}

/** The version says that nobody has taken the volume meanwhile. */
function prebound({ metadata, spec }: PersistentVolume, claim: PersistentVolumeClaim): object {
  const { namespace, name, uid, resourceVersion } = claim.metadata;
  const claimRef = { apiVersion: "v1", kind: "PersistentVolumeClaim", namespace, name, uid, resourceVersion };
  // What its owner had meant for the claim is not unbound by others either.
  const annotations = spec?.claimRef === undefined ? { "pv.kubernetes.io/bound-by-controller": "yes" } : {};
  return { metadata: { resourceVersion: metadata.resourceVersion, annotations }, spec: { claimRef } };
}

function isSelected({ metadata }: PersistentVolumeClaim, nodeName: string): boolean {
  return metadata.annotations?.[selectedNodeAnnotation] === nodeName;
}

function checkClaims(pod: Pod, listers: ClusterListers): Verdict {
  for (const { key, name, ephemeral } of claimNames(pod)) {
    const claim = listers.persistentVolumeClaims.get(key);
    const quoted = JSON.stringify(name);
    if (claim === undefined) {
      return unresolvable(
        ephemeral
          ? `waiting for ephemeral volume controller to create the persistentvolumeclaim ${quoted}`
          : `persistentvolumeclaim ${quoted} not found`,
      );
    }
    if (claim.metadata.deletionTimestamp !== undefined)
      return unresolvable(`persistentvolumeclaim ${quoted} is being deleted`);
    const owners = claim.metadata.ownerReferences ?? [];
    if (ephemeral && !owners.some(({ uid, controller }) => controller === true && uid === pod.metadata.uid)) {
      return unresolvable(
        `PVC ${claim.metadata.namespace}/${name} was not created for pod ${pod.metadata.namespace}/${pod.metadata.name} (pod is not owner)`,
      );
    }
    if (!isBound(claim) && (!isDelayed(claim, listers) || claim.spec?.volumeName)) return immediate;
  }
  return undefined;
}

function plan(
  pod: Pod,
  node: Node,
  listers: ClusterListers,
  promisedToOther: (volume: string, claim: string) => boolean,
): Plan | Rejection {
  const bind = new Map<string, string>();
  const provision: string[] = [];
  for (const { key } of claimNames(pod)) {
    const claim = listers.persistentVolumeClaims.get(key);
    if (claim === undefined) return noVolume;
    if (isBound(claim)) {
      const volume = listers.persistentVolumes.get(claim.spec?.volumeName ?? "");
      if (volume === undefined) return lostVolume;
      if (!volumeFitsNode(volume, node)) return affinityConflict;
      continue;
    }
    const selected = claim.metadata.annotations?.[selectedNodeAnnotation];
    if (selected !== undefined && selected !== node.metadata.name) return noVolume;
    const taken = new Set(bind.values());
    const volume =
      selected === undefined
        ? findVolume(claim, node, listers, (name) => taken.has(name) || promisedToOther(name, key))
        : undefined;
    if (volume !== undefined) {
      bind.set(key, volume.metadata.name);
      continue;
    }
    const storageClass = classOf(claim, listers);
    const outcome = storageClass === undefined ? "impossible" : canProvision(claim, storageClass, node, listers);
    if (outcome === "impossible") return noVolume;
    if (outcome === "no-capacity") return noStorage;
    provision.push(key);
  }
  return { bind, provision };
}
