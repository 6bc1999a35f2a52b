import { describe, expect, test } from "vitest";
import type { Node, PersistentVolume, PersistentVolumeClaim, Pod, StorageClass } from "../../api/index.js";
import { makeMeta, makeNode, makePod } from "../../testing/builders.js";
import { ClusterCache } from "../cache/cluster-cache.js";
import { podInfo } from "../cache/pod-info.js";
import { evaluatePlainly } from "../engine/plain-evaluation.js";
import { listerOf, listersOf } from "../framework/listers.js";
import { volumeBinding } from "./volume-binding.js";
import { nodeVolumeLimits, volumeRestrictions, volumeZone } from "./volume-checks.js";

const zone = "topology.kubernetes.io/zone";
const nodes = [makeNode("a", { labels: { [zone]: "a" } }), makeNode("b", { labels: { [zone]: "b" } })];

function claim(name: string, spec: PersistentVolumeClaim["spec"], bound = false): PersistentVolumeClaim {
  const annotations: Record<string, string> = bound ? { "pv.kubernetes.io/bind-completed": "yes" } : {};
  const metadata = makeMeta("PersistentVolumeClaim", name, { namespace: "default", annotations });
  return { apiVersion: "v1", kind: "PersistentVolumeClaim", metadata, spec: { ...spec } };
}

function volume(name: string, where: string, more: PersistentVolume["spec"] = {}, labels = {}): PersistentVolume {
  return {
    apiVersion: "v1",
    kind: "PersistentVolume",
    metadata: makeMeta("PersistentVolume", name, { labels }),
    spec: {
      capacity: { storage: "10Gi" },
      accessModes: ["ReadWriteOnce"],
      storageClassName: "local",
      nodeAffinity: {
        required: {
          nodeSelectorTerms: [{ matchExpressions: [{ key: zone, operator: "In", values: [where] }] }],
        },
      },
      ...more,
    },
  };
}

function storageClass(name: string, provisioner: string, volumeBindingMode: string): StorageClass {
  const metadata = makeMeta("StorageClass", name);
  return { apiVersion: "storage.k8s.io/v1", kind: "StorageClass", metadata, provisioner, volumeBindingMode };
}

const using = (...names: string[]): Pod =>
  makePod("p", {
    spec: { volumes: names.map((name) => ({ name, persistentVolumeClaim: { claimName: name } })) },
  });

interface Cluster {
  readonly claims?: readonly PersistentVolumeClaim[];
  readonly volumes?: readonly PersistentVolume[];
  readonly pods?: readonly Pod[];
  readonly nodes?: readonly Node[];
}

/** What each node is told, `ok` when it passes. */
function verdicts(pod: Pod, { claims = [], volumes = [], pods = [] }: Cluster): string[] {
  const cache = new ClusterCache(
    listersOf({
      persistentVolumeClaims: listerOf(claims),
      persistentVolumes: listerOf(volumes),
      storageClasses: listerOf([
        storageClass("local", "kubernetes.io/no-provisioner", "WaitForFirstConsumer"),
        storageClass("made", "example.com/csi", "WaitForFirstConsumer"),
        storageClass("now", "example.com/csi", "Immediate"),
      ]),
      csiNodes: listerOf([
        {
          apiVersion: "storage.k8s.io/v1" as const,
          kind: "CSINode" as const,
          metadata: makeMeta("CSINode", "a"),
          spec: { drivers: [{ name: "example.com/csi", nodeID: "a", allocatable: { count: 1 } }] },
        },
      ]),
    }),
  );
  for (const node of nodes) cache.setNode(node);
  for (const other of pods) cache.setPod(other);
  const policies = [volumeRestrictions(), nodeVolumeLimits(), volumeBinding(), volumeZone()].map((policy) => ({
    policy,
    weight: 0,
  }));
  const cycle = { snapshot: cache.snapshots.current(), state: new Map<string, unknown>() };
  return evaluatePlainly(podInfo(pod, cache.table.quantities), policies, cycle).map(
    ({ name, verdict }) => `${name}: ${verdict?.reasons.join(", ") ?? "ok"}`,
  );
}

const request = (storage: string, storageClassName: string): PersistentVolumeClaim["spec"] => ({
  accessModes: ["ReadWriteOnce"],
  resources: { requests: { storage } },
  storageClassName,
});
const csi = { driver: "example.com/csi", volumeHandle: "other" };

describe("volumes and nodes", () => {
  const cases: readonly { name: string; pod: Pod; cluster: Cluster; expected: string[] }[] = [
    { name: "no volumes", pod: makePod("p"), cluster: {}, expected: ["a: ok", "b: ok"] },
    {
      name: "a claim that does not exist",
      pod: using("gone"),
      cluster: {},
      expected: ['a: persistentvolumeclaim "gone" not found', 'b: persistentvolumeclaim "gone" not found'],
    },
    {
      name: "an unbound claim that nobody waits for",
      pod: using("c"),
      cluster: { claims: [claim("c", request("1Gi", "now"))] },
      expected: ["a", "b"].map((node) => `${node}: pod has unbound immediate PersistentVolumeClaims`),
    },
    {
      name: "a bound volume is reachable where its affinity says",
      pod: using("c"),
      cluster: { claims: [claim("c", { volumeName: "v" }, true)], volumes: [volume("v", "b")] },
      expected: ["a: node(s) didn't match PersistentVolume's node affinity", "b: ok"],
    },
    {
      name: "a waiting claim takes a volume that is large enough",
      pod: using("c"),
      cluster: {
        claims: [claim("c", request("5Gi", "local"))],
        volumes: [volume("small", "a", { capacity: { storage: "1Gi" } }), volume("large", "b")],
      },
      expected: ["a: node(s) didn't find available persistent volumes to bind", "b: ok"],
    },
    {
      name: "two waiting claims need two volumes",
      pod: using("c", "d"),
      cluster: {
        claims: [claim("c", request("1Gi", "local")), claim("d", request("1Gi", "local"))],
        volumes: [volume("one", "a"), volume("two", "b"), volume("three", "b")],
      },
      expected: ["a: node(s) didn't find available persistent volumes to bind", "b: ok"],
    },
    {
      name: "a volume that another claim has is not free",
      pod: using("c"),
      cluster: {
        claims: [claim("c", request("1Gi", "local"))],
        volumes: [volume("v", "a", { claimRef: { namespace: "default", name: "other" } }), volume("w", "b")],
      },
      expected: ["a: node(s) didn't find available persistent volumes to bind", "b: ok"],
    },
    {
      name: "a class that makes volumes can do so anywhere",
      pod: using("c"),
      cluster: { claims: [claim("c", request("1Gi", "made"))] },
      expected: ["a: ok", "b: ok"],
    },
    {
      name: "the zone label of a bound volume",
      pod: using("c"),
      cluster: {
        claims: [claim("c", { volumeName: "v" }, true)],
        volumes: [volume("v", "b", { nodeAffinity: {} }, { [zone]: "b" })],
      },
      expected: ["a: node(s) had no available volume zone", "b: ok"],
    },
    {
      name: "a claim for one pod only, which another pod uses",
      pod: using("c"),
      cluster: {
        claims: [claim("c", { volumeName: "v", accessModes: ["ReadWriteOncePod"] }, true)],
        volumes: [volume("v", "b", { nodeAffinity: {} })],
        pods: [
          {
            ...using("c"),
            metadata: makeMeta("Pod", "q", { namespace: "default" }),
            spec: { ...using("c").spec, containers: [], nodeName: "a" },
          },
        ],
      },
      expected: ["a", "b"].map(
        (node) =>
          `${node}: node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode`,
      ),
    },
    {
      name: "more volumes than a driver can attach",
      pod: using("c"),
      cluster: {
        claims: [claim("c", request("1Gi", "made")), claim("d", { volumeName: "v" }, true)],
        volumes: [volume("v", "a", { nodeAffinity: {}, csi })],
        pods: [
          {
            ...using("d"),
            metadata: makeMeta("Pod", "q", { namespace: "default" }),
            spec: { ...using("d").spec, containers: [], nodeName: "a" },
          },
        ],
      },
      expected: ["a: node(s) exceed max volume count", "b: ok"],
    },
  ];
  test.each(cases)("$name", ({ pod, cluster, expected }) => {
    expect(verdicts(pod, cluster)).toEqual(expected);
  });
});
