import { describe, expect, it } from "vitest";
import { builtinDescriptions } from "./builtin.js";

const all = builtinDescriptions();
const byKey = new Map(all.map((d) => [`${d.group}/${d.version}/${d.resource}`, d]));
const find = (key: string): (typeof all)[number] => {
  const found = byKey.get(key);
  if (found === undefined) throw new Error(`no ${key}`);
  return found;
};

describe("builtinDescriptions", () => {
  it("has every resource of the stable groups once", () => {
    expect(all.length).toBe(byKey.size);
    expect(all.length).toBeGreaterThan(60);
  });

  it("lets no two kinds share a storage path, but versions of one", () => {
    const owners = new Map<string, string>();
    for (const { resource, kind, storage, verbs } of all) {
      if (!verbs.includes("list") || resource === "componentstatuses") continue;
      const owner = owners.get(storage.path) ?? kind;
      expect(owner).toBe(kind);
      owners.set(storage.path, kind);
    }
  });

  const paths: readonly (readonly [string, string])[] = [
    ["/v1/pods", "pods"],
    ["/v1/nodes", "minions"],
    ["/v1/services", "services/specs"],
    ["/v1/endpoints", "services/endpoints"],
    ["/v1/replicationcontrollers", "controllers"],
    ["/v1/events", "events"],
    ["events.k8s.io/v1/events", "events"],
    ["networking.k8s.io/v1/ingresses", "ingress"],
    ["apps/v1/deployments", "deployments"],
    ["apiextensions.k8s.io/v1/customresourcedefinitions", "apiextensions.k8s.io/customresourcedefinitions"],
    ["apiregistration.k8s.io/v1/apiservices", "apiregistration.k8s.io/apiservices"],
  ];
  for (const [key, path] of paths) it(`stores ${key} at ${path}`, () => expect(find(key).storage.path).toBe(path));

  const subresources: readonly (readonly [string, string, string])[] = [
    ["apps/v1/deployments", "scale", "autoscaling/v1 Scale"],
    ["/v1/replicationcontrollers", "scale", "autoscaling/v1 Scale"],
    ["/v1/pods", "eviction", "policy/v1 Eviction"],
    ["/v1/pods", "binding", "/v1 Binding"],
    ["/v1/pods", "exec", "/v1 PodExecOptions"],
    ["/v1/pods", "log", "/v1 Pod"],
    ["/v1/pods", "status", "/v1 Pod"],
    ["/v1/serviceaccounts", "token", "authentication.k8s.io/v1 TokenRequest"],
    ["/v1/nodes", "proxy", "/v1 NodeProxyOptions"],
    ["/v1/namespaces", "finalize", "/v1 Namespace"],
    [
      "certificates.k8s.io/v1/certificatesigningrequests",
      "approval",
      "certificates.k8s.io/v1 CertificateSigningRequest",
    ],
  ];
  for (const [key, name, kind] of subresources) {
    it(`serves ${name} of ${key} as ${kind}`, () => {
      const subresource = find(key).subresources.get(name);
      expect(`${subresource?.group}/${subresource?.version} ${subresource?.kind}`).toBe(kind);
    });
  }

  it("names things as kubectl does", () => {
    expect(find("apps/v1/deployments")).toMatchObject({
      singular: "deployment",
      shortNames: ["deploy"],
      categories: ["all"],
      listKind: "DeploymentList",
    });
    expect(find("/v1/componentstatuses").verbs).toEqual(["get", "list"]);
    expect(find("authorization.k8s.io/v1/subjectaccessreviews").verbs).toEqual(["create"]);
  });

  it("converts autoscalers and events, and nothing else", () => {
    const converted = all.filter((d) => d.storage.convert !== undefined).map((d) => `${d.group}/${d.version}`);
    expect(converted).toEqual(["autoscaling/v1", "events.k8s.io/v1"]);
    expect(all.filter((d) => d.storage.version !== d.version).map((d) => d.group)).toEqual(["autoscaling"]);
  });

  it("takes strategies by group and resource", () => {
    const strategy = { ttlSeconds: 1 };
    const given = builtinDescriptions(new Map([["apps/deployments", strategy]]));
    expect(given.find((d) => d.resource === "deployments")?.strategy).toBe(strategy);
  });
});

describe("selectable fields", () => {
  const pod = {
    spec: { nodeName: "n1", restartPolicy: "Always", hostNetwork: true },
    status: { phase: "Running", podIPs: [{ ip: "10.0.0.1" }] },
  };
  const event = { involvedObject: { kind: "Pod", name: "web" }, reportingComponent: "kubelet", reason: "r" };
  const cases: readonly (readonly [key: string, object: object, path: string, text: string])[] = [
    ["/v1/pods", pod, "spec.nodeName", "n1"],
    ["/v1/pods", pod, "spec.host", "n1"],
    ["/v1/pods", pod, "spec.hostNetwork", "true"],
    ["/v1/pods", {}, "spec.hostNetwork", "false"],
    ["/v1/pods", pod, "status.podIP", "10.0.0.1"],
    ["/v1/pods", pod, "status.nominatedNodeName", ""],
    ["/v1/nodes", {}, "spec.unschedulable", "false"],
    ["/v1/nodes", { spec: { unschedulable: true } }, "spec.unschedulable", "true"],
    ["/v1/secrets", { type: "Opaque" }, "type", "Opaque"],
    ["/v1/namespaces", { status: { phase: "Active" } }, "status.phase", "Active"],
    ["batch/v1/jobs", { status: { succeeded: 2 } }, "status.successful", "2"],
    ["apps/v1/replicasets", {}, "status.replicas", "0"],
    ["/v1/events", event, "involvedObject.name", "web"],
    ["/v1/events", event, "source", "kubelet"],
    ["events.k8s.io/v1/events", event, "regarding.name", "web"],
    ["certificates.k8s.io/v1/certificatesigningrequests", { spec: { signerName: "s" } }, "spec.signerName", "s"],
  ];
  for (const [key, object, path, text] of cases) {
    it(`${key} ${path} is ${JSON.stringify(text)}`, () =>
      expect(find(key).selectableFields.get(path)?.({ ...object })).toBe(text));
  }
});
