import { describe, expect, it } from "vitest";
import type { JsonObject } from "../../object.js";
import { created, updated } from "../testing.js";

const csiNodes = "storage.k8s.io/csinodes";

const rows: readonly {
  readonly name: string;
  readonly kind: string;
  readonly given: JsonObject;
  readonly errors: readonly string[];
}[] = [
  {
    name: "topologies that are there twice",
    kind: "storage.k8s.io/storageclasses",
    given: {
      provisioner: "example.com/disk",
      allowedTopologies: [
        { matchLabelExpressions: [{ key: "zone", values: ["a", "b"] }] },
        { matchLabelExpressions: [{ key: "zone", values: ["b", "a"] }, { key: "zone" }] },
        { matchLabelExpressions: [{ key: "zone", values: ["b", "a"] }] },
      ],
    },
    errors: [
      "allowedTopologies[1].matchLabelExpressions[1].values: Required value",
      'allowedTopologies[1].matchLabelExpressions[1].key: Duplicate value: "zone"',
      'allowedTopologies[2].matchLabelExpressions: Duplicate value: ""',
    ],
  },
  {
    name: "attributes that say nothing",
    kind: "storage.k8s.io/volumeattributesclasses",
    given: { parameters: {} },
    errors: ["driverName: Required value", "parameters: Required value: must contain at least one key/value pair"],
  },
  {
    name: "a driver of an unknown kind",
    kind: "storage.k8s.io/csidrivers",
    given: {
      metadata: { name: "Driver_1" },
      spec: {
        tokenRequests: [{ audience: "a", expirationSeconds: 5 }, { audience: "a" }],
        volumeLifecycleModes: ["Forever"],
        nodeAllocatableUpdatePeriodSeconds: 1,
      },
    },
    errors: [
      "name: Invalid value: \"Driver_1\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
      "spec.tokenRequests[0].expirationSeconds: Invalid value: 5: may not specify a duration less than 10 minutes",
      'spec.tokenRequests[1].audience: Duplicate value: "a"',
      'spec.volumeLifecycleModes: Unsupported value: "Forever": supported values: "Persistent", "Ephemeral"',
      "spec.nodeAllocatableUpdatePeriodSeconds: Invalid value: 1: must be greater than or equal to 10 seconds",
    ],
  },
  {
    name: "a driver that wants no tokens, as secrets",
    kind: "storage.k8s.io/csidrivers",
    given: { metadata: { name: "driver.example.com" }, spec: { serviceAccountTokenInSecrets: false } },
    errors: [
      "spec.serviceAccountTokenInSecrets: Invalid value: false: serviceAccountTokenInSecrets is set but no tokenRequests are specified",
    ],
  },
  {
    name: "an attachment of nothing to a node",
    kind: "storage.k8s.io/volumeattachments",
    given: { spec: { attacher: "example.com", nodeName: "n", source: {} } },
    errors: ["spec.source: Required value: must specify exactly one of inlineVolumeSpec and persistentVolumeName"],
  },
];

describe("storage", () => {
  it.each(rows)("$name", ({ kind, given, errors }) => {
    expect(created(kind, given).errors).toEqual(errors);
  });

  it("a driver of a node changes only how many volumes it takes", () => {
    const node = (nodeID: string, count: number): JsonObject => ({
      spec: { drivers: [{ name: "example.com", nodeID, allocatable: { count } }] },
    });
    expect(updated(csiNodes, node("a", 2), node("a", 1)).errors).toEqual([]);
    expect(updated(csiNodes, node("b", 1), node("a", 1)).errors).toEqual([
      'spec.drivers: Invalid value: {"name":"example.com","nodeID":"b"}: field is immutable',
    ]);
  });
});
