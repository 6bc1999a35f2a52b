import { describe, expect, it } from "vitest";
import type { JsonObject } from "../../object.js";
import { strategyFor } from "../testing.js";

const zone = "failure-domain.beta.kubernetes.io/zone";
const instead = 'deprecated since v1.17; use "topology.kubernetes.io/zone" instead';
const terms = [{ matchExpressions: [{ key: zone, operator: "Exists" }] }];

const rows: readonly {
  readonly name: string;
  readonly kind: string;
  readonly given: object;
  readonly warnings: object;
}[] = [
  {
    name: "a volume of long ago",
    kind: "/persistentvolumes",
    given: {
      metadata: {
        annotations: { "volume.beta.kubernetes.io/mount-options": "", "volume.beta.kubernetes.io/storage-class": "a" },
      },
      spec: {
        persistentVolumeReclaimPolicy: "Recycle",
        nodeAffinity: { required: { nodeSelectorTerms: terms } },
        storageos: { volumeName: "a" },
        rbd: { image: "a" },
      },
    },
    warnings: [
      'metadata.annotations[volume.beta.kubernetes.io/storage-class]: deprecated since v1.8; use "storageClassName" attribute instead',
      'metadata.annotations[volume.beta.kubernetes.io/mount-options]: deprecated since v1.31; use "mountOptions" attribute instead',
      "spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning.",
      `spec.nodeAffinity.required.nodeSelectorTerms[0].matchExpressions[0].key: ${zone} is ${instead}`,
      "spec.storageOS: deprecated in v1.22, non-functional in v1.25+",
      "spec.rbd: deprecated in v1.28, non-functional in v1.31+",
    ],
  },
  {
    name: "a class's topologies",
    kind: "storage.k8s.io/storageclasses",
    given: { allowedTopologies: [{ matchLabelExpressions: [{ key: "a" }, { key: zone }] }] },
    warnings: [`allowedTopologies[0].matchLabelExpressions[1].key: ${instead}`],
  },
  {
    name: "a capacity's topology",
    kind: "storage.k8s.io/csistoragecapacities",
    given: { nodeTopology: { matchLabels: { [zone]: "a" }, matchExpressions: [{ key: zone, operator: "Exists" }] } },
    warnings: [
      `nodeTopology.matchExpressions[0].key: ${zone} is ${instead}`,
      `nodeTopology.matchLabels.${zone}: ${instead}`,
    ],
  },
  {
    name: "the nodes of a runtime",
    kind: "node.k8s.io/runtimeclasses",
    given: { scheduling: { nodeSelector: { [zone]: "a" } } },
    warnings: [`scheduling.nodeSelector: ${instead}`],
  },
];

describe("warnings of what goes away", () => {
  it.each(rows)("$name", ({ kind, given, warnings }) => {
    expect(strategyFor(kind).warnings?.(given as JsonObject, undefined)).toEqual(warnings);
  });
});
