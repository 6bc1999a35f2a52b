import { beforeAll, expect, test } from "vitest";
import type { JsonObject } from "../../src/api/index.js";
import { namesOf } from "./support/objects.js";
import { describeApi, failure, type ResourcePath, useControlPlane } from "./support/subject.js";

const namespace = "fields";
const meta = (name: string): object => ({ name, namespace });

/** One object of each kind that has selectable fields, as it is stored. */
const stored: readonly [key: string, object: JsonObject][] = [
  [
    "pods/fields/one",
    {
      kind: "Pod",
      apiVersion: "v1",
      metadata: meta("one"),
      spec: {
        nodeName: "n1",
        restartPolicy: "Always",
        schedulerName: "mine",
        serviceAccountName: "robot",
        hostNetwork: true,
        containers: [],
      },
      status: { phase: "Running", podIP: "10.0.0.1", podIPs: [{ ip: "10.0.0.1" }], nominatedNodeName: "n2" },
    },
  ],
  ["pods/fields/other", { kind: "Pod", apiVersion: "v1", metadata: meta("other"), spec: { containers: [] } }],
  ["minions/one", { kind: "Node", apiVersion: "v1", metadata: { name: "one" }, spec: { unschedulable: true } }],
  ["minions/other", { kind: "Node", apiVersion: "v1", metadata: { name: "other" } }],
  ["secrets/fields/one", { kind: "Secret", apiVersion: "v1", metadata: meta("one"), type: "example.com/one" }],
  ["secrets/fields/other", { kind: "Secret", apiVersion: "v1", metadata: meta("other"), type: "Opaque" }],
  [
    "services/specs/fields/one",
    { kind: "Service", apiVersion: "v1", metadata: meta("one"), spec: { clusterIP: "None", type: "ClusterIP" } },
  ],
  [
    "services/specs/fields/other",
    { kind: "Service", apiVersion: "v1", metadata: meta("other"), spec: { type: "ExternalName" } },
  ],
  [
    "controllers/fields/one",
    { kind: "ReplicationController", apiVersion: "v1", metadata: meta("one"), status: { replicas: 3 } },
  ],
  [
    "controllers/fields/other",
    { kind: "ReplicationController", apiVersion: "v1", metadata: meta("other"), status: {} },
  ],
  ["jobs/fields/one", { kind: "Job", apiVersion: "batch/v1", metadata: meta("one"), status: { succeeded: 2 } }],
  ["jobs/fields/other", { kind: "Job", apiVersion: "batch/v1", metadata: meta("other") }],
  [
    "certificatesigningrequests/one",
    {
      kind: "CertificateSigningRequest",
      apiVersion: "certificates.k8s.io/v1",
      metadata: { name: "one" },
      spec: { signerName: "example.com/s", request: "" },
    },
  ],
  [
    "resourceslices/one",
    {
      kind: "ResourceSlice",
      apiVersion: "resource.k8s.io/v1",
      metadata: { name: "one" },
      spec: { nodeName: "n1", driver: "d", pool: {} },
    },
  ],
  [
    "events/fields/one",
    {
      kind: "Event",
      apiVersion: "v1",
      metadata: meta("one"),
      involvedObject: {
        kind: "Pod",
        namespace,
        name: "p",
        uid: "u",
        apiVersion: "v1",
        resourceVersion: "5",
        fieldPath: "f",
      },
      reason: "Started",
      type: "Normal",
      source: { component: "kubelet" },
      reportingComponent: "reporter",
    },
  ],
  [
    "events/fields/other",
    { kind: "Event", apiVersion: "v1", metadata: meta("other"), involvedObject: { kind: "Node" }, reason: "x" },
  ],
];

const cp = useControlPlane({
  prepare: async (store) => {
    for (const [key, object] of stored) await store.create(`/registry/${key}`, Buffer.from(JSON.stringify(object)));
  },
});

const selects: { path: ResourcePath; fields: Record<string, string> }[] = [
  {
    path: "api/v1/pods",
    fields: {
      "spec.nodeName": "n1",
      "spec.host": "n1",
      "spec.restartPolicy": "Always",
      "spec.schedulerName": "mine",
      "spec.serviceAccountName": "robot",
      "spec.hostNetwork": "true",
      "status.phase": "Running",
      "status.podIP": "10.0.0.1",
      "status.podIPs": "10.0.0.1",
      "status.nominatedNodeName": "n2",
    },
  },
  { path: "api/v1/nodes", fields: { "spec.unschedulable": "true" } },
  { path: "api/v1/secrets", fields: { type: "example.com/one" } },
  { path: "api/v1/services", fields: { "spec.clusterIP": "None", "spec.type": "ClusterIP" } },
  { path: "api/v1/replicationcontrollers", fields: { "status.replicas": "3" } },
  { path: "apis/batch/v1/jobs", fields: { "status.successful": "2" } },
  { path: "apis/certificates.k8s.io/v1/certificatesigningrequests", fields: { "spec.signerName": "example.com/s" } },
  { path: "apis/resource.k8s.io/v1/resourceslices", fields: { "spec.nodeName": "n1", "spec.driver": "d" } },
  {
    path: "api/v1/events",
    fields: {
      "involvedObject.kind": "Pod",
      "involvedObject.namespace": namespace,
      "involvedObject.name": "p",
      "involvedObject.uid": "u",
      "involvedObject.apiVersion": "v1",
      "involvedObject.resourceVersion": "5",
      "involvedObject.fieldPath": "f",
      reason: "Started",
      type: "Normal",
      source: "kubelet",
      reportingComponent: "reporter",
    },
  },
  {
    path: "apis/events.k8s.io/v1/events",
    fields: {
      "regarding.kind": "Pod",
      "regarding.name": "p",
      reason: "Started",
      type: "Normal",
      reportingController: "reporter",
    },
  },
];

describeApi("a field selector", cp, (api) => {
  const cases = selects.flatMap(({ path, fields }) =>
    Object.entries(fields).map(([field, value]) => ({ path, field, value })),
  );

  test.each(cases)("of $path by $field", async ({ path, field, value }) => {
    const list = async (fieldSelector: string): Promise<readonly string[]> => {
      const inNamespace = await api.call("list", path, { options: { fieldSelector } });
      return namesOf(inNamespace).filter((name) => name === "one" || name === "other");
    };
    expect(await list(`${field}=${value}`)).toEqual(["one"]);
    expect(await list(`${field}==${value}`)).toEqual(["one"]);
    expect(await list(`${field}!=${value}`)).not.toContain("one");
    expect(await list(`${field}=${value},metadata.name=one`)).toEqual(["one"]);
    expect(await list(`${field}=${value},metadata.name!=one`)).toEqual([]);
  });

  test("takes unset numbers and booleans for zero", async () => {
    const named = async (path: ResourcePath, fieldSelector: string): Promise<readonly string[]> =>
      namesOf(await api.call("list", path, { options: { fieldSelector } }));
    expect(await named("api/v1/nodes", "spec.unschedulable=false")).toEqual(["other"]);
    expect(await named("api/v1/pods", "spec.hostNetwork=false")).toEqual(["other"]);
    expect(await named("apis/batch/v1/jobs", "status.successful=0")).toEqual(["other"]);
    expect(await named("api/v1/pods", "spec.nodeName=")).toEqual(["other"]);
  });

  const refused: { path: ResourcePath; field: string; message: string }[] = [
    { path: "api/v1/pods", field: "spec.x", message: "field label not supported: spec.x" },
    { path: "api/v1/nodes", field: "metadata.namespace", message: "field label not supported: metadata.namespace" },
    { path: "api/v1/namespaces", field: "metadata.labels.a", message: "field label not supported: metadata.labels.a" },
    {
      path: "apis/batch/v1/jobs",
      field: "status.failed",
      message: 'field label "status.failed" not supported for batchv1.Job',
    },
    {
      path: "apis/resource.k8s.io/v1/resourceslices",
      field: "spec.pool",
      message: "field label not supported for resource.k8s.io/v1, Kind=ResourceSlice: spec.pool",
    },
    {
      path: "apis/apps/v1/deployments",
      field: "spec.replicas",
      message: '"spec.replicas" is not a known field selector: only "metadata.name", "metadata.namespace"',
    },
  ];
  test.each(refused)("of $path by $field is refused", async ({ path, field, message }) => {
    const status = await failure(api.call("list", path, { options: { fieldSelector: `${field}=x` } }));
    expect(status).toMatchObject({ code: 400, reason: "BadRequest", message });
  });
});

describeApi("a label selector", cp, (api) => {
  let namespace = "";
  const labels: Record<string, Record<string, string>> = {
    none: {},
    web: { app: "web", tier: "front" },
    db: { app: "db", tier: "back", size: "10" },
    empty: { app: "" },
  };
  beforeAll(async () => {
    namespace = await api.namespace();
    for (const [name, given] of Object.entries(labels)) {
      const metadata = { name, namespace, labels: given };
      await api.create("api/v1/configmaps", { apiVersion: "v1", kind: "ConfigMap", metadata });
    }
  });

  const cases: [selector: string, names: string[]][] = [
    ["app", ["db", "empty", "web"]],
    ["!app", ["none"]],
    ["app=web", ["web"]],
    ["app==web", ["web"]],
    ["app!=web", ["db", "empty", "none"]],
    ["app=", ["empty"]],
    ["app in (web,db)", ["db", "web"]],
    ["app in ()", []],
    ["app in (,web)", ["empty", "web"]],
    ["app notin (web,db)", ["empty", "none"]],
    ["size>5", ["db"]],
    ["size<5", []],
    ["app,tier!=back", ["empty", "web"]],
    [" app = web , tier = front ", ["web"]],
    ["", ["db", "empty", "none", "web"]],
  ];
  test.each(cases.filter(([selector]) => selector !== "app in ()"))("%j", async (labelSelector, names) => {
    const listed = namesOf(await api.call("list", "api/v1/configmaps", { namespace, options: { labelSelector } }));
    // The cluster's own is in every namespace.
    expect(listed.filter((name) => name !== "kube-root-ca.crt")).toEqual(names);
  });

  const refused: [selector: string, message: string][] = [
    [
      "app in ()",
      "unable to parse requirement: values: Invalid value: []: for 'in', 'notin' operators, values set can't be empty",
    ],
    ["app in web", "unable to parse requirement: found 'web' expected: '('"],
    ["app=web,", "found '', expected: identifier after ','"],
    ["=web", "found '=', expected: !, identifier, or 'end of string'"],
    ["app=web app=db", "found 'app', expected: ',' or 'end of string'"],
    [
      "size>big",
      `unable to parse requirement: values[0]: Invalid value: "big": for 'Gt', 'Lt' operators, the value must be an integer`,
    ],
    ["app~web", expect.stringMatching(/^unable to parse requirement: <nil>: Invalid value: "app~web": /)],
  ];
  test.each(refused)("%j is refused", async (labelSelector, message) => {
    const status = await failure(api.call("list", "api/v1/configmaps", { namespace, options: { labelSelector } }));
    expect(status).toMatchObject({ code: 400, reason: "BadRequest", message });
  });
});
