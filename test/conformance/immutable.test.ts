import { expect, test } from "vitest";
import type { JsonObject } from "../../src/api/index.js";
import { everyKind, placed, type SampleKind } from "./support/every-kind.js";
import { metadataOf } from "./support/manifests.js";
import { type Api, describeApi, failure, useControlPlane } from "./support/subject.js";

const controlPlane = useControlPlane({ loopback: true });

function sampleOf(path: string): SampleKind {
  const found = everyKind.find((sample) => sample.path.endsWith(`/${path}`));
  if (found === undefined) throw new Error(`there is no sample of ${path}`);
  return found;
}

interface Row {
  /** The end of the resource's path. */
  readonly of: string;
  /** What the object has beside its sample. */
  readonly given?: object;
  /** A merge patch of the object. */
  readonly change: object;
  /** The field, and all that is said of it: text as it is, or its beginning where a diff follows. */
  readonly field: string;
  readonly says: string;
}

const fixed = "field is immutable";
const whenSet = "Forbidden: field is immutable when `immutable` is set";
const devices = { requests: [{ name: "two", exactly: { deviceClassName: "sample" } }] };
const otherRole = { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "other" };
const set =
  "Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden";

const rows: readonly Row[] = [
  { of: "v1/configmaps", given: { immutable: true }, change: { data: { key: "other" } }, field: "data", says: whenSet },
  { of: "v1/configmaps", given: { immutable: true }, change: { binaryData: null }, field: "binaryData", says: whenSet },
  { of: "v1/configmaps", given: { immutable: true }, change: { immutable: false }, field: "immutable", says: whenSet },
  { of: "v1/secrets", given: { immutable: true }, change: { data: { more: "YQ==" } }, field: "data", says: whenSet },
  { of: "v1/secrets", given: { immutable: true }, change: { immutable: null }, field: "immutable", says: whenSet },
  {
    of: "v1/secrets",
    change: { type: "example.com/other" },
    field: "type",
    says: `Invalid value: "example.com/other": ${fixed}`,
  },
  {
    of: "v1/pods",
    change: { spec: { hostNetwork: true } },
    field: "spec",
    says: "Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)\n",
  },
  {
    of: "v1/nodes",
    change: { spec: { podCIDR: "10.8.0.0/24", podCIDRs: ["10.8.0.0/24"] } },
    field: "spec.podCIDRs",
    says: 'Forbidden: node updates may not change podCIDR except from "" to valid',
  },
  {
    of: "v1/nodes",
    given: { spec: { providerID: "a://1" } },
    change: { spec: { providerID: "a://2" } },
    field: "spec.providerID",
    says: 'Forbidden: node updates may not change providerID except from "" to valid',
  },
  {
    of: "v1/persistentvolumeclaims",
    change: { spec: { accessModes: ["ReadOnlyMany"] } },
    field: "spec",
    says: "Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims\n",
  },
  {
    of: "v1/persistentvolumes",
    change: { spec: { hostPath: { path: "/other" } } },
    field: "spec.persistentvolumesource",
    says: "Forbidden: spec.persistentvolumesource is immutable after creation\n",
  },
  {
    of: "v1/persistentvolumes",
    change: { spec: { volumeMode: "Block" } },
    field: "volumeMode",
    says: `Invalid value: "Block": ${fixed}`,
  },
  {
    of: "v1/resourcequotas",
    given: { spec: { hard: { pods: "1" }, scopes: ["Terminating"] } },
    change: { spec: { scopes: ["NotTerminating"] } },
    field: "spec.scopes",
    says: `Invalid value: ["NotTerminating"]: ${fixed}`,
  },
  {
    of: "v1/services",
    change: { spec: { clusterIP: "10.96.200.9", clusterIPs: ["10.96.200.9"] } },
    field: "spec.clusterIPs[0]",
    says: 'Invalid value: ["10.96.200.9"]: may not change once set',
  },
  { of: "v1/controllerrevisions", change: { data: { spec: { a: 2 } } }, field: "data", says: "Invalid value: " },
  ...["deployments", "replicasets", "daemonsets"].map((of) => ({
    of: `v1/${of}`,
    change: {
      spec: {
        selector: { matchLabels: { app: "sample", more: "x" } },
        template: { metadata: { labels: { more: "x" } } },
      },
    },
    field: "spec.selector",
    says: `Invalid value: {"matchLabels":{"app":"sample","more":"x"}}: ${fixed}`,
  })),
  { of: "v1/statefulsets", change: { spec: { serviceName: "other" } }, field: "spec", says: set },
  { of: "v1/statefulsets", change: { spec: { podManagementPolicy: "Parallel" } }, field: "spec", says: set },
  {
    of: "v1/jobs",
    change: { spec: { template: { spec: { restartPolicy: "OnFailure" } } } },
    field: "spec.template",
    says: "Invalid value: ",
  },
  {
    of: "v1/jobs",
    change: { spec: { completions: 5 } },
    field: "spec.completions",
    says: `Invalid value: 5: ${fixed}`,
  },
  {
    of: "v1/jobs",
    change: { spec: { managedBy: "example.com/other" } },
    field: "spec.managedBy",
    says: `Invalid value: "example.com/other": ${fixed}`,
  },
  {
    of: "v1/endpointslices",
    change: { addressType: "FQDN", endpoints: [{ addresses: ["a.example.com"] }] },
    field: "addressType",
    says: `Invalid value: "FQDN": ${fixed}`,
  },
  {
    of: "v1/ingressclasses",
    change: { spec: { controller: "example.com/other" } },
    field: "spec.controller",
    says: `Invalid value: "example.com/other": ${fixed}`,
  },
  {
    of: "v1/ipaddresses",
    change: { spec: { parentRef: { name: "other" } } },
    field: "spec.parentRef",
    says: "Invalid value: ",
  },
  { of: "v1/runtimeclasses", change: { handler: "other" }, field: "handler", says: `Invalid value: "other": ${fixed}` },
  {
    of: "v1/rolebindings",
    change: { roleRef: otherRole },
    field: "roleRef",
    says: `Invalid value: ${JSON.stringify(otherRole)}: cannot change roleRef`,
  },
  {
    of: "v1/clusterrolebindings",
    change: { roleRef: otherRole },
    field: "roleRef",
    says: `Invalid value: ${JSON.stringify(otherRole)}: cannot change roleRef`,
  },
  {
    of: "v1/priorityclasses",
    change: { value: 8 },
    field: "value",
    says: "Forbidden: may not be changed in an update.",
  },
  {
    of: "v1/priorityclasses",
    change: { preemptionPolicy: "Never" },
    field: "preemptionPolicy",
    says: `Invalid value: "Never": ${fixed}`,
  },
  { of: "v1/resourceclaims", change: { spec: { devices } }, field: "spec", says: "Invalid value: " },
  { of: "v1/resourceclaimtemplates", change: { spec: { spec: { devices } } }, field: "spec", says: "Invalid value: " },
  {
    of: "v1/resourceslices",
    change: { spec: { driver: "other.example.com" } },
    field: "spec.driver",
    says: `Invalid value: "other.example.com": ${fixed}`,
  },
  {
    of: "v1/resourceslices",
    change: { spec: { nodeName: "other" } },
    field: "spec.nodeName",
    says: `Invalid value: "other": ${fixed}`,
  },
  {
    of: "v1/csidrivers",
    change: { spec: { attachRequired: true } },
    field: "spec.attachedRequired",
    says: `Invalid value: true: ${fixed}`,
  },
  {
    of: "v1/csistoragecapacities",
    change: { storageClassName: "other" },
    field: "storageClassName",
    says: `Invalid value: "other": ${fixed}`,
  },
  {
    of: "v1/storageclasses",
    change: { provisioner: "example.com/other" },
    field: "provisioner",
    says: "Forbidden: updates to provisioner are forbidden.",
  },
  {
    of: "v1/storageclasses",
    change: { parameters: { a: "b" } },
    field: "parameters",
    says: "Forbidden: updates to parameters are forbidden.",
  },
  {
    of: "v1/storageclasses",
    change: { reclaimPolicy: "Retain" },
    field: "reclaimPolicy",
    says: "Forbidden: updates to reclaimPolicy are forbidden.",
  },
  {
    of: "v1/storageclasses",
    change: { volumeBindingMode: "WaitForFirstConsumer" },
    field: "volumeBindingMode",
    says: `Invalid value: "WaitForFirstConsumer": ${fixed}`,
  },
  {
    of: "v1/volumeattributesclasses",
    change: { driverName: "other.example.com" },
    field: "driverName",
    says: "Forbidden: updates to driverName are forbidden.",
  },
  {
    of: "v1/volumeattributesclasses",
    change: { parameters: { a: "c" } },
    field: "parameters",
    says: "Forbidden: updates to parameters are forbidden.",
  },
  { of: "v1/volumeattachments", change: { spec: { nodeName: "other" } }, field: "spec", says: "Invalid value: " },
];

let last = 100;

/** Makes an object of a sample and says where it is. */
async function made(
  api: Api,
  sample: SampleKind,
  given: object = {},
): Promise<{ at: { name: string; namespace?: string }; object: JsonObject }> {
  const namespace = await api.namespace();
  await api.create("api/v1/serviceaccounts", { metadata: { name: "default", namespace } });
  const where = sample.namespaced ? { namespace } : {};
  const body = { ...placed(sample, ++last, namespace), ...given };
  const object = await api.call("create", sample.path, { ...where, body });
  return { at: { ...where, name: String(metadataOf(object)["name"]) }, object };
}

describeApi("what cannot change", controlPlane, (api) => {
  test.each(rows)("of $of: $field ($change)", async ({ of, given, change, field, says }) => {
    const sample = sampleOf(of);
    const { at, object } = await made(api, sample, given);
    const status = await failure(api.call("patch", sample.path, { ...at, patchType: "merge", body: change }));
    expect(status).toMatchObject({ code: 422, reason: "Invalid", details: { name: at.name, kind: sample.kind } });
    const cause = status.details?.causes?.find((each) => each.field === field);
    expect(cause, JSON.stringify(status.details)).toBeDefined();
    expect(cause?.message?.slice(0, says.length)).toBe(says);
    expect(cause?.message).toMatch(new RegExp(`${/(:\s|\n)$/.test(says) ? "" : "$"}`));
    expect(cause?.reason).toBe(says.startsWith("Forbidden") ? "FieldValueForbidden" : "FieldValueInvalid");
    expect(await api.call("get", sample.path, at)).toEqual(object);
  });

  test.each([
    { of: "v1/certificatesigningrequests", change: { spec: { signerName: "example.com/other" } }, field: "spec" },
    { of: "v1/deployments", change: { status: { replicas: 9 } }, field: "status" },
    { of: "v1/pods", change: { status: { phase: "Running" } }, field: "status" },
    { of: "v1/nodes", change: { status: { phase: "Running" } }, field: "status" },
    { of: "v1/namespaces", change: { status: { phase: "Terminating" } }, field: "status" },
    { of: "v1/services", change: { status: { loadBalancer: { ingress: [{ ip: "1.2.3.4" }] } } }, field: "status" },
    { of: "v1/jobs", change: { status: { succeeded: 9 } }, field: "status" },
    {
      of: "v1/resourceclaims",
      change: { status: { reservedFor: [{ resource: "pods", name: "a", uid: "u" }] } },
      field: "status",
    },
  ])("of $of stays, whatever a client sends: $field", async ({ of, change, field }) => {
    const sample = sampleOf(of);
    const { at, object } = await made(api, sample);
    const after = await api.call("patch", sample.path, { ...at, patchType: "merge", body: change });
    expect(after[field]).toEqual(object[field]);
    expect(metadataOf(after)["resourceVersion"]).toBe(metadataOf(object)["resourceVersion"]);
  });

  test.each([
    {
      of: "v1/replicationcontrollers",
      change: { spec: { selector: { more: "x" }, template: { metadata: { labels: { more: "x" } } } } },
    },
    {
      of: "v1/statefulsets",
      change: { spec: { replicas: 3, minReadySeconds: 5, template: { spec: { hostNetwork: true } } } },
    },
    { of: "v1/poddisruptionbudgets", change: { spec: { selector: { matchLabels: { other: "x" } }, minAvailable: 2 } } },
    { of: "v1/networkpolicies", change: { spec: { podSelector: { matchLabels: { other: "x" } } } } },
    { of: "v1/cronjobs", change: { spec: { schedule: "@hourly", suspend: true } } },
    { of: "v1/jobs", change: { spec: { parallelism: 3, suspend: true } } },
    { of: "v1/roles", change: { rules: [{ apiGroups: [""], resources: ["pods"], verbs: ["list"] }] } },
    { of: "v1/ingresses", change: { spec: { ingressClassName: "other" } } },
    { of: "v1/storageclasses", change: { allowVolumeExpansion: true } },
    { of: "v1/leases", change: { spec: { holderIdentity: "other" } } },
    { of: "v2/horizontalpodautoscalers", change: { spec: { scaleTargetRef: { name: "other" } } } },
    { of: "v1/pods", change: { spec: { activeDeadlineSeconds: 5 } } },
    { of: "v1/controllerrevisions", change: { revision: 2 } },
    { of: "v1/deviceclasses", change: { spec: { selectors: [{ cel: { expression: "true" } }] } } },
  ])("of $of is not this: $change", async ({ of, change }) => {
    const sample = sampleOf(of);
    const { at } = await made(api, sample);
    expect(await api.call("patch", sample.path, { ...at, patchType: "merge", body: change })).toMatchObject(change);
  });

  test.each(everyKind)("of metadata is who it is: $path", async (sample) => {
    const { at, object } = await made(api, sample);
    const change = (metadata: object): Promise<JsonObject> =>
      api.call("update", sample.path, { ...at, body: { ...object, metadata: { ...metadataOf(object), ...metadata } } });
    expect(await failure(change({ uid: "other" }))).toMatchObject({ code: 409, reason: "Conflict" });
    expect((await failure(change({ name: "other" }))).code).toBe(400);
    const later = metadataOf(
      await change({ creationTimestamp: "2001-01-01T00:00:00Z", deletionTimestamp: "2001-01-01T00:00:00Z" }).catch(
        () => object,
      ),
    );
    expect(later["creationTimestamp"]).toBe(metadataOf(object)["creationTimestamp"]);
    expect(later).not.toHaveProperty("deletionTimestamp");
  });
});
