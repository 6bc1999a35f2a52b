import "reflect-metadata";
import { webcrypto, X509Certificate } from "node:crypto";
import { Pkcs10CertificateRequestGenerator, SubjectAlternativeNameExtension } from "@peculiar/x509";
import { describe, expect, test } from "vitest";
import { VirtualClock } from "../../internal/virtual-clock.js";
import { createCertificateAuthority, loadCertificateAuthority } from "./certificate-authority.js";
import { parseCertificateRequest } from "./certificate-request.js";
import { createClusterPki } from "./cluster-pki.js";
import type { PkiStorage } from "./pki-storage.js";

const start = Date.parse("2026-01-01T00:00:00Z");

function memoryStorage(): PkiStorage & { readonly saved: string[] } {
  const pairs = new Map<string, Awaited<ReturnType<PkiStorage["load"]>>>();
  const keys = new Map<string, Awaited<ReturnType<PkiStorage["loadKey"]>>>();
  const saved: string[] = [];
  return {
    saved,
    load: async (name) => pairs.get(name),
    save: async (name, pair) => {
      saved.push(name);
      pairs.set(name, { certificate: pair.certificate, key: pair.key });
    },
    loadKey: async (name) => keys.get(name),
    saveKey: async (name, pair) => void keys.set(name, pair),
  };
}

describe("certificate authority", () => {
  test("issues client certificates with user and groups that it is seen to have signed", async () => {
    const clock = new VirtualClock(start);
    const ca = await createCertificateAuthority({ commonName: "kubernetes", clock });
    const issued = await ca.issue({
      commonName: "system:node:a",
      organizations: ["system:nodes", "b\nO=system:masters"],
      usages: ["client"],
    });
    const leaf = new X509Certificate(issued.certificate);
    const root = new X509Certificate(ca.certificate);
    expect(leaf.verify(root.publicKey)).toBe(true);
    expect(leaf.checkIssued(root)).toBe(true);
    expect(leaf.ca).toBe(false);
    expect(root.ca).toBe(true);
    expect(leaf.keyUsage).toEqual(["1.3.6.1.5.5.7.3.2"]);
    const subject = leaf.toLegacyObject().subject as unknown as { CN: string; O: string[] };
    expect(subject.CN).toBe("system:node:a");
    expect(subject.O).toEqual(["system:nodes", "b\nO=system:masters"]);
  });

  test("is the same after it was loaded from PEM", async () => {
    const clock = new VirtualClock(start);
    const made = await createCertificateAuthority({ commonName: "kubernetes", clock });
    const loaded = await loadCertificateAuthority({ certificate: made.certificate, key: made.key }, clock);
    const issued = await loaded.issue({
      commonName: "x",
      usages: ["server"],
      dnsNames: ["x.y"],
      ipAddresses: ["10.0.0.1"],
    });
    const leaf = new X509Certificate(issued.certificate);
    expect(leaf.verify(new X509Certificate(made.certificate).publicKey)).toBe(true);
    expect(leaf.checkHost("x.y")).toBe("x.y");
    expect(leaf.checkIP("10.0.0.1")).toBe("10.0.0.1");
    expect(leaf.checkIP("10.0.0.2")).toBeUndefined();
  });
});

test("a certificate request is read, signed for its key, and refused when it is not its own", async () => {
  const keys = await webcrypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign", "verify"]);
  const made = await Pkcs10CertificateRequestGenerator.create({
    name: [{ O: ["system:nodes"] }, { CN: ["system:node:a"] }],
    keys,
    signingAlgorithm: { name: "ECDSA", hash: "SHA-256" },
    extensions: [new SubjectAlternativeNameExtension([{ type: "ip", value: "10.0.0.1" }])],
  });
  const request = await parseCertificateRequest(made.toString("pem"));
  expect(request).toMatchObject({
    commonName: "system:node:a",
    organizations: ["system:nodes"],
    ipAddresses: ["10.0.0.1"],
    dnsNames: [],
  });
  const ca = await createCertificateAuthority({ commonName: "kubernetes", clock: new VirtualClock(start) });
  const signed = await ca.sign(request.publicKey, { ...request, usages: ["server"] });
  expect(new X509Certificate(signed).checkIP("10.0.0.1")).toBe("10.0.0.1");
  const bytes = new Uint8Array(made.rawData.slice(0));
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
  const broken = `-----BEGIN CERTIFICATE REQUEST-----\n${Buffer.from(bytes).toString("base64")}\n-----END CERTIFICATE REQUEST-----\n`;
  await expect(parseCertificateRequest(broken)).rejects.toThrow("not signed by its own key");
});

describe("cluster PKI", () => {
  test("names the server by all its names, and keeps what it made", async () => {
    const clock = new VirtualClock(start);
    const storage = memoryStorage();
    const options = { clock, storage, serverAddresses: ["10.96.0.1"] };
    const first = await createClusterPki(options);
    const serving = new X509Certificate(first.apiserver.certificate);
    for (const name of ["kubernetes", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local", "localhost"]) {
      expect(serving.checkHost(name), name).toBe(name);
    }
    expect(serving.checkIP("10.96.0.1")).toBe("10.96.0.1");
    const second = await createClusterPki(options);
    expect(second.apiserver).toEqual(first.apiserver);
    expect(second.serviceAccountKey).toEqual(first.serviceAccountKey);
  });

  test("makes a certificate anew when it is near its end, or lacks a name", async () => {
    const clock = new VirtualClock(start);
    const storage = memoryStorage();
    const first = await createClusterPki({ clock, storage });
    const named = await createClusterPki({ clock, storage, serverNames: ["api.example.com"] });
    expect(named.apiserver.certificate).not.toBe(first.apiserver.certificate);
    expect(named.admin.certificate).toBe(first.admin.certificate);
    await clock.advance(350 * 24 * 3600 * 1000);
    const later = await createClusterPki({ clock, storage, serverNames: ["api.example.com"] });
    expect(later.admin.certificate).not.toBe(first.admin.certificate);
    expect(later.ca.certificate).toBe(first.ca.certificate);
  });
});
