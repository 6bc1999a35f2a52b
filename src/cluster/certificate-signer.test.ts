import "reflect-metadata";
import { X509Certificate as NodeCertificate, webcrypto } from "node:crypto";
import { Pkcs10CertificateRequestGenerator, SubjectAlternativeNameExtension } from "@peculiar/x509";
import { expect, test } from "vitest";
import { type CertificateSigningRequest, certificateSigningRequests } from "../api/index.js";
import { createCertificateAuthority } from "../apiserver/pki/certificate-authority.js";
import { createClient } from "../client/index.js";
import { certificateApprovingController } from "../controllers/certificates/approving.js";
import { certificateCleanerController } from "../controllers/certificates/cleaner.js";
import { certificateSigningController } from "../controllers/certificates/signing.js";
import { timestamp } from "../internal/clock.js";
import { Scenario } from "../testing/controller-scenario.js";
import { certificateSigner } from "./certificate-signer.js";

const client = "kubernetes.io/kube-apiserver-client-kubelet";
const serving = "kubernetes.io/kubelet-serving";

async function begin(): Promise<{ readonly scenario: Scenario; readonly authority: string }> {
  // Certificates live in real time.
  const clock = { now: () => Date.now() } as never;
  const ca = await createCertificateAuthority({ commonName: "kubernetes", clock });
  const signer = certificateSigner(ca);
  const controllers = [
    certificateApprovingController(signer),
    certificateSigningController(signer),
    certificateCleanerController,
  ];
  const scenario = new Scenario({ controllers });
  await scenario.start();
  return { scenario, authority: ca.certificate };
}

async function csr(commonName: string, organization: string, dnsNames: readonly string[] = []): Promise<string> {
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const names = dnsNames.map((value) => ({ type: "dns" as const, value }));
  const request = await Pkcs10CertificateRequestGenerator.create({
    name: [{ O: [organization] }, { CN: [commonName] }],
    keys,
    signingAlgorithm: algorithm,
    extensions: names.length === 0 ? [] : [new SubjectAlternativeNameExtension(names)],
  });
  return Buffer.from(`${request.toString("pem")}\n`).toString("base64");
}

interface Wish {
  readonly request: string;
  readonly username?: string;
  readonly groups?: readonly string[];
  readonly signerName?: string;
  readonly usages?: readonly string[];
}

/** As who asks: the server notes that by itself, from the one who is logged in. */
async function ask(scenario: Scenario, name: string, wish: Wish): Promise<void> {
  const { request, username = "system:node:n1", groups = ["system:nodes"], signerName = client } = wish;
  const usages = wish.usages ?? ["digital signature", "client auth"];
  await createClient(scenario.server.transport({ username, groups })).create(certificateSigningRequests, {
    apiVersion: "certificates.k8s.io/v1",
    kind: "CertificateSigningRequest",
    metadata: { name },
    spec: { request, signerName, usages },
  });
}

/** Keys are worked with off this thread, where the virtual clock cannot wait for them. */
async function until(scenario: Scenario, reached: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 5_000;
  while (!(await reached())) {
    if (performance.now() > deadline) throw new Error("it did not come to it");
    await scenario.settle();
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}

async function answered(scenario: Scenario, name: string): Promise<CertificateSigningRequest> {
  const read = (): Promise<CertificateSigningRequest> => scenario.client.get(certificateSigningRequests, { name });
  await until(scenario, async () => {
    const { status } = await read();
    return Boolean(status?.certificate) || (status?.conditions ?? []).some(({ type }) => type === "Failed");
  });
  return read();
}

const denied = (scenario: Scenario, name: string): Promise<void> =>
  until(scenario, () =>
    scenario.problems.join().includes(`recognized csr "${name}" but subject access review was not approved`),
  );

const conditionsOf = ({ status }: CertificateSigningRequest): readonly string[] =>
  (status?.conditions ?? []).map(({ type, reason, message }) => `${type} ${reason}: ${message}`);

async function decide(scenario: Scenario, name: string): Promise<CertificateSigningRequest> {
  const request = await scenario.client.get(certificateSigningRequests, { name });
  const lastUpdateTime = timestamp(scenario.clock);
  const approved = { type: "Approved", status: "True", reason: "ByHand", message: "yes", lastUpdateTime };
  await scenario.client.update(
    certificateSigningRequests,
    { ...request, status: { conditions: [approved] } },
    { subresource: "approval" },
  );
  return answered(scenario, name);
}

test("a kubelet's client certificate is left to people where RBAC lets nobody ask for it, and signed when approved", async () => {
  const { scenario, authority } = await begin();
  await ask(scenario, "n1", { request: await csr("system:node:n1", "system:nodes") });
  await denied(scenario, "n1");
  const signed = await decide(scenario, "n1");
  const certificate = new NodeCertificate(Buffer.from(signed.status?.certificate ?? "", "base64"));
  expect(certificate.subject).toBe("O=system:nodes\nCN=system:node:n1");
  expect(certificate.verify(new NodeCertificate(authority).publicKey)).toBe(true);
  expect(certificate.keyUsage).toEqual(["1.3.6.1.5.5.7.3.2"]);
});

test.each([
  ["its own", "system:node:n1", "Auto approving self kubelet client certificate after SubjectAccessReview."],
  ["another's", "admin", "Auto approving kubelet client certificate after SubjectAccessReview."],
])("who may ask for %s is approved at once", async (_, username, message) => {
  const { scenario } = await begin();
  const request = await csr("system:node:n1", "system:nodes");
  await ask(scenario, "n1", { request, username, groups: ["system:masters"] });
  expect(conditionsOf(await answered(scenario, "n1"))).toEqual([`Approved AutoApproved: ${message}`]);
});

test.each([
  ["another's organization", { organization: "admins" }, "subject organization is not system:nodes"],
  ["names of hosts", { dnsNames: ["a.example"] }, "DNS subjectAltNames are not allowed"],
  ["no node's name", { commonName: "root" }, "subject common name does not begin with system:node:"],
  ["usages", { usages: ["server auth"] }, "usages did not match [client auth digital signature key encipherment]"],
])("a kubelet gets no client certificate with %s", async (_, wrong, message) => {
  const { scenario } = await begin();
  const { commonName = "system:node:n1", organization = "system:nodes", dnsNames, usages } = wrong as Wrong;
  const request = await csr(commonName, organization, dnsNames);
  await ask(scenario, "bad", { request, ...(usages === undefined ? {} : { usages }) });
  const refused = await decide(scenario, "bad");
  expect(conditionsOf(refused)).toContain(`Failed SignerValidationFailure: ${message}`);
  expect(refused.status?.certificate).toBeUndefined();
});

interface Wrong {
  readonly commonName?: string;
  readonly organization?: string;
  readonly dnsNames?: readonly string[];
  readonly usages?: readonly string[];
}

test("serving certificates carry their names, after somebody approved them", async () => {
  const { scenario } = await begin();
  const usages = ["digital signature", "server auth"];
  const request = await csr("system:node:n1", "system:nodes", ["n1.example"]);
  await ask(scenario, "serve", { request, signerName: serving, usages });
  await scenario.settle();
  expect(conditionsOf(await scenario.client.get(certificateSigningRequests, { name: "serve" }))).toEqual([]);
  const signed = await decide(scenario, "serve");
  const certificate = new NodeCertificate(Buffer.from(signed.status?.certificate ?? "", "base64"));
  expect(certificate.subjectAltName).toBe("DNS:n1.example");
});

test("requests go when they are of no more use", async () => {
  const { scenario } = await begin();
  const request = await csr("system:node:n1", "system:nodes");
  await ask(scenario, "signed", { request });
  await decide(scenario, "signed");
  await ask(scenario, "pending", { request });
  await scenario.advance(3 * 3_600_000, 1_800_000);
  expect((await scenario.list(certificateSigningRequests)).map(({ metadata }) => metadata.name)).toEqual(["pending"]);
  await scenario.advance(24 * 3_600_000, 1_800_000);
  expect(await scenario.list(certificateSigningRequests)).toEqual([]);
});
