import "reflect-metadata";
import { webcrypto } from "node:crypto";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from "@peculiar/x509";
import type { Clock } from "../../internal/clock.js";

const { subtle } = webcrypto;
const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const yearMs = 365 * 24 * 3600 * 1000;
/** Clocks of other machines may be behind ours. */
const backdateMs = 5 * 60 * 1000;

/** A certificate and its private key (PKCS #8), both in PEM. */
export interface KeyPairPem {
  readonly certificate: string;
  readonly key: string;
}

export interface AuthorityOptions {
  readonly commonName: string;
  readonly clock: Clock;
  /** Absent: ten years. */
  readonly validityMs?: number;
}

export interface IssueOptions {
  /** The user name, in client certificates. */
  readonly commonName: string;
  /** The groups, in client certificates. */
  readonly organizations?: readonly string[];
  readonly dnsNames?: readonly string[];
  readonly ipAddresses?: readonly string[];
  readonly emailAddresses?: readonly string[];
  readonly uris?: readonly string[];
  readonly usages: readonly ("server" | "client")[];
  /** Absent: one year; never longer than the authority itself. */
  readonly validityMs?: number;
}

export interface CertificateAuthority {
  /** PEM: what others need to trust what was issued. */
  readonly certificate: string;
  readonly key: string;
  issue(options: IssueOptions): Promise<KeyPairPem>;
  /** Signs a certificate request (PEM) of somebody who keeps the key: for the signers of CertificateSigningRequests. */
  sign(publicKey: webcrypto.CryptoKey, options: IssueOptions): Promise<string>;
}

/** Makes a new authority with a key of its own (ECDSA P-256). */
export async function createCertificateAuthority(options: AuthorityOptions): Promise<CertificateAuthority> {
  const keys = await newKeys();
  const now = options.clock.now();
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: [{ CN: [options.commonName] }],
    notBefore: new Date(now - backdateMs),
    notAfter: new Date(now + (options.validityMs ?? 10 * yearMs)),
    keys,
    signingAlgorithm: algorithm,
    extensions: [
      new BasicConstraintsExtension(true, undefined, true),
      new KeyUsagesExtension(
        KeyUsageFlags.digitalSignature | KeyUsageFlags.keyEncipherment | KeyUsageFlags.keyCertSign,
        true,
      ),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
      ...(isDnsName(options.commonName)
        ? [new SubjectAlternativeNameExtension([{ type: "dns", value: options.commonName }])]
        : []),
    ],
  });
  return new Authority(certificate, keys.privateKey, await exportKey(keys.privateKey), options.clock);
}

/** An authority from what was kept of it. Throws when the two do not parse. */
export async function loadCertificateAuthority(pem: KeyPairPem, clock: Clock): Promise<CertificateAuthority> {
  const key = await subtle.importKey("pkcs8", fromPem(pem.key), algorithm, true, ["sign"]);
  return new Authority(new X509Certificate(pem.certificate), key, pem.key, clock);
}

class Authority implements CertificateAuthority {
  readonly certificate: string;
  readonly key: string;
  readonly #issuer: X509Certificate;
  readonly #signingKey: webcrypto.CryptoKey;
  readonly #clock: Clock;

  constructor(issuer: X509Certificate, signingKey: webcrypto.CryptoKey, key: string, clock: Clock) {
    this.#issuer = issuer;
    this.#signingKey = signingKey;
    this.#clock = clock;
    this.certificate = `${issuer.toString("pem")}\n`;
    this.key = key;
  }

  async issue(options: IssueOptions): Promise<KeyPairPem> {
    const keys = await newKeys();
    return { certificate: await this.sign(keys.publicKey, options), key: await exportKey(keys.privateKey) };
  }

  async sign(publicKey: webcrypto.CryptoKey, options: IssueOptions): Promise<string> {
    const now = this.#clock.now();
    const notAfter = Math.min(now + (options.validityMs ?? yearMs), this.#issuer.notAfter.getTime());
    const certificate = await X509CertificateGenerator.create({
      serialNumber: serialNumber(),
      subject: [
        ...(options.organizations ?? []).map((organization) => ({ O: [organization] })),
        { CN: [options.commonName] },
      ],
      issuer: this.#issuer.subjectName,
      notBefore: new Date(now - backdateMs),
      notAfter: new Date(notAfter),
      publicKey,
      signingKey: this.#signingKey,
      signingAlgorithm: algorithm,
      extensions: await this.#extensions(options),
    });
    return `${certificate.toString("pem")}\n`;
  }

  async #extensions(options: IssueOptions): Promise<Extension[]> {
    const extensions: Extension[] = [
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature | KeyUsageFlags.keyEncipherment, true),
      new ExtendedKeyUsageExtension(
        options.usages.map((usage) => (usage === "server" ? ExtendedKeyUsage.serverAuth : ExtendedKeyUsage.clientAuth)),
      ),
      new BasicConstraintsExtension(false, undefined, true),
      await AuthorityKeyIdentifierExtension.create(this.#issuer, false),
    ];
    const names = [
      ...(options.dnsNames ?? []).map((value) => ({ type: "dns" as const, value })),
      ...(options.ipAddresses ?? []).map((value) => ({ type: "ip" as const, value })),
      ...(options.emailAddresses ?? []).map((value) => ({ type: "email" as const, value })),
      ...(options.uris ?? []).map((value) => ({ type: "url" as const, value })),
    ];
    if (names.length > 0) extensions.push(new SubjectAlternativeNameExtension(names));
    return extensions;
  }
}

function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return subtle.generateKey(algorithm, true, ["sign", "verify"]);
}

async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  return toPem("PRIVATE KEY", Buffer.from(await subtle.exportKey("pkcs8", key)));
}

function toPem(label: string, bytes: Buffer): string {
  const lines = bytes.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}

function fromPem(pem: string): Buffer {
  return Buffer.from(pem.replace(/-----[^-]+-----/g, "").replace(/\s+/g, ""), "base64");
}

/** 16 random bytes that read as a positive number. */
function serialNumber(): string {
  const bytes = Buffer.from(webcrypto.getRandomValues(new Uint8Array(16)));
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return bytes.toString("hex");
}

function isDnsName(name: string): boolean {
  return /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(name);
}
