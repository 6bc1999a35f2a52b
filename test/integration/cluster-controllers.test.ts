import "reflect-metadata";
import { webcrypto } from "node:crypto";
import { Pkcs10CertificateRequestGenerator } from "@peculiar/x509";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  certificateSigningRequests,
  clusterRoleBindings,
  configMaps,
  ipAddresses,
  type Node,
  nodes,
  resourceQuotas,
  type ServiceCIDR,
  secrets,
  selfSubjectReviews,
  serviceCIDRs,
  services,
} from "../../src/api/index.js";
import { type Client, createClient, HttpTransport, waitFor } from "../../src/client/index.js";
import { type Cluster, startCluster } from "../../src/cluster/cluster.js";
import { identities } from "../../src/cluster/identities.js";
import { MemoryStore } from "../../src/store/index.js";

let cluster: Cluster;
let store: MemoryStore;
const problems: string[] = [];
const soon = { timeoutMs: 30_000 };

beforeAll(async () => {
  store = new MemoryStore();
  const note = (message: string, fields?: object): void => {
    const { error } = (fields ?? {}) as { readonly error?: unknown };
    problems.push(`${message}: ${error instanceof Error ? error.message : ""}`);
  };
  const logger = { debug: () => {}, info: () => {}, warn: note, error: note };
  const authentication = { bootstrapTokens: true };
  cluster = await startCluster({ store, scheduler: false, podCidr: "10.244.0.0/16", authentication, logger });
});

afterAll(async () => {
  await cluster?.stop();
  await store?.[Symbol.asyncDispose]();
  expect(problems.filter((problem) => /forbidden|cannot/i.test(problem))).toEqual([]);
});

async function whoAmI(credentials: object): Promise<string | undefined> {
  const access = { server: cluster.url, ca: cluster.pki.ca.certificate, ...credentials };
  await using transport = new HttpTransport(access);
  const review = { apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview", metadata: {} } as const;
  return (await createClient(transport).create(selfSubjectReviews, review)).status?.userInfo?.username;
}

test("the token of a Secret logs its account in", async () => {
  const place = { namespace: "default", name: "t" };
  await cluster.client.create(secrets, {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { ...place, annotations: { "kubernetes.io/service-account.name": "default" } },
    type: "kubernetes.io/service-account-token",
  });
  const secret = await waitFor(cluster.client, secrets, place, (one) => Boolean(one?.data?.["token"]), soon);
  const read = (name: string): string => Buffer.from(secret?.data?.[name] ?? "", "base64").toString();
  expect(read("ca.crt")).toBe(cluster.pki.ca.certificate);
  expect(await whoAmI({ token: () => read("token") })).toBe("system:serviceaccount:default:default");
});

async function bind(role: string, group: string): Promise<void> {
  const apiGroup = "rbac.authorization.k8s.io";
  await cluster.client.create(clusterRoleBindings, {
    apiVersion: `${apiGroup}/v1`,
    kind: "ClusterRoleBinding",
    metadata: { name: `${role}-${group.replaceAll(":", "-")}` },
    roleRef: { apiGroup, kind: "ClusterRole", name: role },
    subjects: [{ kind: "Group", apiGroup, name: group }],
  });
}

/** Asks for a kubelet's client certificate; resolves when it is signed. */
async function clientCertificateOf(client: Client, node: string, name: string): Promise<object> {
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const request = await Pkcs10CertificateRequestGenerator.create({
    name: [{ O: ["system:nodes"] }, { CN: [`system:node:${node}`] }],
    keys,
    signingAlgorithm: algorithm,
  });
  await client.create(certificateSigningRequests, {
    apiVersion: "certificates.k8s.io/v1",
    kind: "CertificateSigningRequest",
    metadata: { name },
    spec: {
      request: Buffer.from(request.toString("pem")).toString("base64"),
      signerName: "kubernetes.io/kube-apiserver-client-kubelet",
      usages: ["digital signature", "client auth"],
    },
  });
  const signed = (one: { readonly status?: { readonly certificate?: string } } | undefined): boolean =>
    Boolean(one?.status?.certificate);
  const answer = await waitFor(client, certificateSigningRequests, { name }, signed, soon);
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey)).toString("base64");
  const clientKey = `-----BEGIN PRIVATE KEY-----\n${pkcs8}\n-----END PRIVATE KEY-----\n`;
  return { clientCertificate: Buffer.from(answer?.status?.certificate ?? "", "base64").toString(), clientKey };
}

test("a kubelet that may ask for a client certificate gets one, and is known by it", async () => {
  await bind("system:certificates.k8s.io:certificatesigningrequests:selfnodeclient", "system:nodes");
  const kubelet = createClient(cluster.api.transport(identities.node("n1"), "kubelet"));
  expect(await whoAmI(await clientCertificateOf(kubelet, "n1", "n1"))).toBe("system:node:n1");
});

test("a kubelet with a bootstrap token gets its first client certificate as kubeadm lets it", async () => {
  const group = "system:bootstrappers:kubeadm:default-node-token";
  await bind("system:node-bootstrapper", group);
  await bind("system:certificates.k8s.io:certificatesigningrequests:nodeclient", group);
  const place = { namespace: "kube-system", name: "bootstrap-token-abcdef" };
  await cluster.client.create(secrets, {
    apiVersion: "v1",
    kind: "Secret",
    metadata: place,
    type: "bootstrap.kubernetes.io/token",
    stringData: {
      "token-id": "abcdef",
      "token-secret": "0123456789abcdef",
      "usage-bootstrap-authentication": "true",
      "auth-extra-groups": group,
    },
  });
  const token = { token: () => "abcdef.0123456789abcdef" };
  expect(await whoAmI(token)).toBe("system:bootstrap:abcdef");
  await using transport = new HttpTransport({ server: cluster.url, ca: cluster.pki.ca.certificate, ...token });
  expect(await whoAmI(await clientCertificateOf(createClient(transport), "n2", "n2"))).toBe("system:node:n2");
});

test("quotas are counted, and nodes get their part of the pods' network", async () => {
  const place = { namespace: "default", name: "few" };
  await cluster.client.create(resourceQuotas, {
    apiVersion: "v1",
    kind: "ResourceQuota",
    metadata: place,
    spec: { hard: { configmaps: "2" } },
  });
  const used = (count: string) => (one: { readonly status?: { readonly used?: object } } | undefined) =>
    (one?.status?.used as Record<string, string> | undefined)?.["configmaps"] === count;
  // One is there already: the authority that the API server is to be trusted by.
  await waitFor(cluster.client, resourceQuotas, place, used("1"), soon);
  const make = (name: string) =>
    cluster.client.create(configMaps, {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { namespace: "default", name },
    });
  await make("one");
  await expect(make("two")).rejects.toThrow("exceeded quota: few");
  await cluster.client.delete(configMaps, { namespace: "default", name: "one" });
  await waitFor(cluster.client, resourceQuotas, place, used("1"), soon);
  await cluster.client.create(nodes, { apiVersion: "v1", kind: "Node", metadata: { name: "n1" } });
  const given = (one: Node | undefined): boolean => one?.spec?.podCIDR !== undefined;
  const node = await waitFor(cluster.client, nodes, { name: "n1" }, given, soon);
  expect(node?.spec?.podCIDRs).toEqual(["10.244.0.0/24"]);
});

test("Services get addresses from a further ServiceCIDR, which stays while they have them", async () => {
  const { client } = cluster;
  const ready = (cidr: ServiceCIDR | undefined): string | undefined =>
    cidr?.status?.conditions?.find(({ type }) => type === "Ready")?.status;
  const own = await waitFor(client, serviceCIDRs, { name: "kubernetes" }, (cidr) => ready(cidr) === "True", soon);
  expect(own?.spec?.cidrs).toEqual(["10.96.0.0/12"]);
  const metadata = { name: "more" };
  const spec = { cidrs: ["10.200.0.0/28"] };
  await client.create(serviceCIDRs, { apiVersion: "networking.k8s.io/v1", kind: "ServiceCIDR", metadata, spec });
  await waitFor(client, serviceCIDRs, metadata, (cidr) => ready(cidr) === "True", soon);
  const ip = "10.200.0.5";
  const web = { namespace: "default", name: "web" };
  const ports = [{ port: 80 }];
  await client.create(services, { apiVersion: "v1", kind: "Service", metadata: web, spec: { clusterIP: ip, ports } });
  // What is lost is made again.
  const lost = await client.get(ipAddresses, { name: ip });
  await client.delete(ipAddresses, { name: ip });
  const again = await waitFor(client, ipAddresses, { name: ip }, (one) => one !== undefined, soon);
  expect(again?.metadata.uid).not.toBe(lost.metadata.uid);
  expect(again?.spec).toEqual(lost.spec);
  await client.delete(serviceCIDRs, metadata);
  await waitFor(client, serviceCIDRs, metadata, (cidr) => ready(cidr) === "False", soon);
  await client.delete(services, web);
  await waitFor(client, ipAddresses, { name: ip }, (one) => one === undefined, soon);
  await waitFor(client, serviceCIDRs, metadata, (cidr) => cidr === undefined, soon);
}, 60_000);
