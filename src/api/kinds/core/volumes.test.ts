import { describe, expect, it } from "vitest";
import type { JsonObject } from "../../object.js";
import { created, updated, withPath } from "../testing.js";

interface Row {
  readonly name: string;
  readonly given: JsonObject;
  readonly errors: readonly string[];
}

function podWith(...volumes: readonly object[]): JsonObject {
  const containers = [{ name: "c", image: "c:1" }];
  return { metadata: { name: "web", namespace: "d" }, spec: { containers, volumes } } as unknown as JsonObject;
}

const storage = { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } };

describe("volumes of pods", () => {
  const rows: readonly Row[] = [
    {
      name: "an image volume without an image",
      given: podWith({ name: "v", image: {} }),
      errors: ["spec.volumes[0].image.reference: Required value"],
    },
    {
      name: "a disk of Google's, by the name that upstream has for it",
      given: podWith({ name: "v", gcePersistentDisk: { partition: 256 } }),
      errors: [
        "spec.volumes[0].persistentDisk.pdName: Required value",
        "spec.volumes[0].persistentDisk.partition: Invalid value: 256: must be between 1 and 255, inclusive",
      ],
    },
    {
      name: "an iSCSI target without a qualified name, with authentication without a secret",
      given: podWith({ name: "v", iscsi: { targetPortal: "a", iqn: "iqn.bad", lun: 256, chapAuthSession: true } }),
      errors: [
        'spec.volumes[0].iscsi.iqn: Invalid value: "iqn.bad": must be valid format',
        "spec.volumes[0].iscsi.lun: Invalid value: 256: must be between 0 and 255, inclusive",
        "spec.volumes[0].iscsi.secretRef: Required value",
      ],
    },
    {
      name: "Fibre Channel by two ways at once",
      given: podWith({ name: "v", fc: { targetWWNs: ["a"], wwids: ["b"] } }),
      errors: [
        'spec.volumes[0].fc.targetWWNs: Invalid value: ["a"]: targetWWNs and wwids can not be specified simultaneously',
        "spec.volumes[0].fc.lun: Required value: lun is required if targetWWNs is specified",
      ],
    },
    {
      name: "options of a flexVolume in Kubernetes' name",
      given: podWith({ name: "v", flexVolume: { driver: "d", options: { "a.k8s.io/x": "1" } } }),
      errors: [
        'spec.volumes[0].flexVolume.options[a.k8s.io/x]: Invalid value: "a.k8s.io/x": kubernetes.io and k8s.io namespaces are reserved',
      ],
    },
    {
      name: "a managed disk of Azure's at a blob's address",
      given: podWith({ name: "v", azureDisk: { diskName: "d", diskURI: "https://x", kind: "Managed" } }),
      errors: [
        'spec.volumes[0].azureDisk.diskURI: Unsupported value: "https://x": supported values: "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}"',
      ],
    },
    {
      name: "a driver without a name, and with a secret without one",
      given: podWith({ name: "v", csi: { nodePublishSecretRef: {} } }),
      errors: [
        "spec.volumes[0].csi.driver: Required value",
        expect.stringMatching(/^spec\.volumes\[0\]\.csi\.driver: Invalid value: "": a lowercase RFC 1123 subdomain/),
        "spec.volumes[0].csi.nodePublishSecretRef.name: Required value",
      ],
    },
    {
      name: "a template of a claim with a name, and a claim that this pod makes itself",
      given: podWith(
        { name: "e", ephemeral: { volumeClaimTemplate: { metadata: { name: "x" }, spec: storage } } },
        { name: "f", ephemeral: { volumeClaimTemplate: { spec: storage } } },
        { name: "p", persistentVolumeClaim: { claimName: "web-f" } },
      ),
      errors: [
        "spec.volumes[0].ephemeral.volumeClaimTemplate.metadata.name: Forbidden: cannot be set",
        'spec.volumes[2].persistentVolumeClaim.claimName: Invalid value: "web-f": must not reference a PVC that gets created for an ephemeral volume',
      ],
    },
    {
      name: "projections: one file twice, a token for too short a time, two sources in one",
      given: podWith({
        name: "v",
        projected: {
          sources: [
            { configMap: { name: "a", items: [{ key: "k", path: "f" }] } },
            { secret: { name: "b", items: [{ key: "k", path: "f" }] } },
            {
              downwardAPI: { items: [{ path: "x", fieldRef: { fieldPath: "metadata.name" } }] },
              configMap: { name: "c" },
            },
          ],
        },
      }),
      errors: [
        'spec.volumes[0].projected: Invalid value: "b": conflicting duplicate paths',
        "spec.volumes[0].projected.sources[2]: Forbidden: may not specify more than 1 volume type per source",
      ],
    },
    {
      name: "a token without an account",
      given: podWith({
        name: "v",
        projected: { sources: [{ serviceAccountToken: { path: "../t", expirationSeconds: 1 } }] },
      }),
      errors: [
        "spec.volumes[0].projected.sources[0].serviceAccountToken.expirationSeconds: Invalid value: 1: may not specify a duration less than 10 minutes",
        "spec.volumes[0].projected.path: Invalid value: \"../t\": must not contain '..'",
        "spec.volumes[0].projected.sources[0].serviceAccountToken: Forbidden: must not be specified when serviceAccountName is not set",
      ],
    },
    {
      name: "a volume that is bad is not there to be mounted",
      given: withPath(podWith({ name: "v", secret: {} }), "spec.containers.0.volumeMounts", [
        { name: "v", mountPath: "/v" },
      ]),
      errors: [
        "spec.volumes[0].secret.secretName: Required value",
        'spec.containers[0].volumeMounts[0].name: Not found: "v"',
      ],
    },
  ];

  it.each(rows)("$name", ({ given, errors }) => {
    expect(created("/pods", given).errors).toEqual(errors);
  });
});

describe("PersistentVolumes", () => {
  const volume = (spec: object): JsonObject =>
    ({
      metadata: { name: "pv" },
      spec: { accessModes: ["ReadWriteOnce"], capacity: { storage: "1Gi" }, ...spec },
    }) as unknown as JsonObject;
  const csi = { driver: "d.example.com", volumeHandle: "h" };

  const rows: readonly Row[] = [
    {
      name: "nothing at all",
      given: { metadata: { name: "pv" }, spec: {} } as unknown as JsonObject,
      errors: [
        "spec.accessModes: Required value",
        "spec.capacity: Required value",
        'spec.capacity: Unsupported value: null: supported values: "storage"',
        "spec: Required value: must specify a volume type",
      ],
    },
    {
      name: "two sources",
      given: volume({ csi, hostPath: { path: "/" } }),
      errors: ["spec.csi: Forbidden: may not specify more than 1 volume type"],
    },
    {
      name: "the root recycled, by a longer way to say it",
      given: volume({ hostPath: { path: "//." }, persistentVolumeReclaimPolicy: "Recycle" }),
      errors: ["spec.persistentVolumeReclaimPolicy: Forbidden: may not be 'recycle' for a hostPath mount of '/'"],
    },
    {
      name: "secrets of a driver without names",
      given: volume({ csi: { ...csi, nodeStageSecretRef: {}, nodePublishSecretRef: {} } }),
      errors: [
        "spec.csi.nodePublishSecretRef.name: Required value",
        "spec.csi.nodePublishSecretRef.namespace: Required value",
      ],
    },
    {
      name: "a class of attributes for what is no driver's volume",
      given: volume({ hostPath: { path: "/x" }, volumeAttributesClassName: "" }),
      errors: [
        "spec.volumeAttributesClassName: Required value: an empty string is disallowed",
        "spec.csi: Required value: has to be specified when using volumeAttributesClassName",
      ],
    },
    {
      name: "a volume of one writer for others too",
      given: volume({ csi, accessModes: ["ReadWriteOncePod", "ReadOnlyMany", "Often"] }),
      errors: [
        'spec.accessModes: Unsupported value: "Often": supported values: "ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"',
        "spec.accessModes: Forbidden: may not use ReadWriteOncePod with other access modes",
      ],
    },
  ];

  it.each(rows)("$name", ({ given, errors }) => {
    expect(created("/persistentvolumes", given).errors).toEqual(errors);
  });

  const zone = (key: string): object => ({
    required: { nodeSelectorTerms: [{ matchExpressions: [{ key, operator: "In", values: ["a"] }] }] },
  });

  it.each([
    { name: "its source", change: { csi: { ...csi, volumeHandle: "other" } }, errors: 1 },
    {
      name: "a first secret for expansion",
      change: { csi: { ...csi, controllerExpandSecretRef: { name: "s", namespace: "n" } } },
      errors: 0,
    },
    { name: "another zone", change: { csi, nodeAffinity: zone("rack") }, errors: 1 },
    {
      name: "the stable name of the zone's label",
      change: { csi, nodeAffinity: zone("topology.kubernetes.io/zone") },
      errors: 0,
    },
    { name: "its capacity", change: { csi, capacity: { storage: "2Gi" } }, errors: 0 },
  ])("an update of $name has $errors errors", ({ change, errors }) => {
    const affinity = { nodeAffinity: zone("failure-domain.beta.kubernetes.io/zone") };
    const old = created("/persistentvolumes", volume({ csi, ...affinity })).object;
    expect(updated("/persistentvolumes", volume({ ...affinity, ...change }), old).errors).toHaveLength(errors);
  });
});

describe("claims", () => {
  it("says one thing in both fields for its source", () => {
    const dataSource = { kind: "PersistentVolumeClaim", name: "a" };
    const claim = (dataSourceRef: object): JsonObject =>
      ({
        metadata: { name: "c", namespace: "d" },
        spec: { ...storage, dataSource, dataSourceRef },
      }) as unknown as JsonObject;
    expect(created("/persistentvolumeclaims", claim(dataSource)).errors).toEqual([]);
    expect(created("/persistentvolumeclaims", claim({ ...dataSource, name: "b" })).errors).toEqual([
      "spec: Invalid value: {}: must match dataSourceRef",
    ]);
  });

  it("gets a class once, and keeps its class of attributes", () => {
    const claim = created("/persistentvolumeclaims", {
      metadata: { name: "c", namespace: "d" },
      spec: storage,
    } as unknown as JsonObject).object;
    const slow = withPath(claim, "spec.storageClassName", "slow");
    expect(updated("/persistentvolumeclaims", slow, claim).errors).toEqual([]);
    expect(
      updated("/persistentvolumeclaims", withPath(claim, "spec.storageClassName", "fast"), slow).errors,
    ).toHaveLength(1);
    const bound = withPath(withPath(claim, "status.phase", "Bound"), "spec.volumeAttributesClassName", "gold");
    expect(
      updated("/persistentvolumeclaims", withPath(bound, "spec.volumeAttributesClassName", "tin"), bound).errors,
    ).toEqual([]);
    expect(
      updated("/persistentvolumeclaims", withPath(bound, "spec.volumeAttributesClassName", undefined), bound).errors,
    ).toContain("spec.volumeAttributesClassName: Forbidden: update from non-nil value to nil is forbidden");
  });

  it("has a status of amounts that there can be", () => {
    const claim = created("/persistentvolumeclaims", {
      metadata: { name: "c", namespace: "d" },
      spec: storage,
    } as unknown as JsonObject).object;
    const status = { allocatedResourceStatuses: { storage: "Growing" }, allocatedResources: { cpu: "1" } };
    expect(updated("/persistentvolumeclaims", withPath(claim, "status", status), claim, "status").errors).toEqual([
      'status.allocatedResourceStatus: Unsupported value: "storage": supported values: "ControllerResizeInProgress", "ControllerResizeInfeasible", "NodeResizeInProgress", "NodeResizeInfeasible", "NodeResizePending"',
      'status.allocatedResources: Unsupported value: "cpu": supported values: "storage"',
    ]);
  });
});

describe("what a claim is filled from", () => {
  const snapshot = { apiGroup: "snapshot.storage.k8s.io", kind: "VolumeSnapshot", name: "a" };
  const other = { apiGroup: "example.com", kind: "Backup", name: "a" };

  it.each([
    {
      name: "the old field alone",
      given: { dataSource: snapshot },
      spec: { dataSource: snapshot, dataSourceRef: snapshot },
    },
    { name: "the new field alone", given: { dataSourceRef: other }, spec: { dataSource: other, dataSourceRef: other } },
    { name: "what the old field cannot name", given: { dataSource: other }, spec: {} },
    { name: "nothing", given: {}, spec: {} },
  ])("is the same in both fields: $name", ({ given, spec }) => {
    const { volumeMode: _default, ...stored } = created("/persistentvolumeclaims", { spec: given }).object[
      "spec"
    ] as JsonObject;
    expect(stored).toEqual(spec);
  });

  it("is kept where an old client leaves the new field out", () => {
    const old = { spec: { dataSource: other, dataSourceRef: other } };
    expect(updated("/persistentvolumeclaims", { spec: { dataSource: other } }, old).object).toMatchObject(old);
  });
});

describe("the phase of a volume", () => {
  const before = { phase: "Available", lastPhaseTransitionTime: "2026-01-01T00:00:00Z" };
  it.each([
    { name: "changes", status: { phase: "Bound" }, since: "2026-01-02T03:04:05Z" },
    { name: "changes and the time is sent back", status: { ...before, phase: "Bound" }, since: "2026-01-02T03:04:05Z" },
    { name: "stays", status: before, since: "2026-01-01T00:00:00Z" },
    {
      name: "changed earlier",
      status: { phase: "Bound", lastPhaseTransitionTime: "2025-01-01T00:00:00Z" },
      since: "2025-01-01T00:00:00Z",
    },
  ])("is since then: $name", ({ status, since }) => {
    const { object } = updated("/persistentvolumes", { status }, { status: before }, "status");
    expect(object).toMatchObject({ status: { lastPhaseTransitionTime: since } });
  });
});
