import { generateKeyPair } from "node:crypto";
import { promisify } from "node:util";
import type { Clock } from "../../internal/clock.js";
import type { CertificateAuthority, IssueOptions, KeyPairPem } from "./certificate-authority.js";
import type { PkiStorage, SigningKeyPem } from "./pki-storage.js";
import { stillGood } from "./renewal.js";

export interface ClusterPkiOptions {
  readonly clock: Clock;
  /** Where everything is kept; absent: nowhere, each start makes it new. */
  readonly storage?: PkiStorage;
  /** The cluster's DNS domain; absent: `cluster.local`. */
  readonly clusterDomain?: string;
  /** What clients may call the API server by, beside its names within the cluster. */
  readonly serverNames?: readonly string[];
  readonly serverAddresses?: readonly string[];
}

/** Everything that a cluster needs to know its parts by. */
export interface ClusterPki {
  readonly ca: CertificateAuthority;
  /** Signs the proxies that may say who asks. */
  readonly frontProxyCa: CertificateAuthority;
  readonly serviceAccountKey: SigningKeyPem;
  /** The API server's serving certificate. */
  readonly apiserver: KeyPairPem;
  /** As whom the API server calls nodes. */
  readonly apiserverKubeletClient: KeyPairPem;
  readonly frontProxyClient: KeyPairPem;
  readonly admin: KeyPairPem;
  readonly controllerManager: KeyPairPem;
  readonly scheduler: KeyPairPem;
  readonly proxy: KeyPairPem;
  /** A node agent's: client of the API as system:node:NAME, and server for logs and exec. Kept under its name. */
  node(name: string, names?: { dnsNames?: readonly string[]; ipAddresses?: readonly string[] }): Promise<KeyPairPem>;
}

/** Loads what the storage has, makes what it has not, and renews what ends within 30 days. */
export async function createClusterPki(options: ClusterPkiOptions): Promise<ClusterPki> {
  const { clock, storage } = options;
  const authority = (file: string, commonName: string): Promise<CertificateAuthority> =>
    loadOrCreateAuthority(storage, file, commonName, clock);
  const [ca, frontProxyCa, serviceAccountKey] = await Promise.all([
    authority("ca", "kubernetes"),
    authority("front-proxy-ca", "front-proxy-ca"),
    loadOrCreateSigningKey(storage),
  ]);
  const keep = (file: string, issue: IssueOptions, by: CertificateAuthority = ca): Promise<KeyPairPem> =>
    loadOrIssue(storage, file, by, issue, clock);
  const client = (file: string, commonName: string, organization?: string): Promise<KeyPairPem> =>
    keep(file, {
      commonName,
      ...(organization === undefined ? {} : { organizations: [organization] }),
      usages: ["client"],
    });
  const [apiserver, apiserverKubeletClient, frontProxyClient, admin, controllerManager, scheduler, proxy] =
    await Promise.all([
      keep("apiserver", servingOptions(options)),
      client("apiserver-kubelet-client", "kube-apiserver-kubelet-client", "system:masters"),
      keep("front-proxy-client", { commonName: "front-proxy-client", usages: ["client"] }, frontProxyCa),
      client("admin", "kubernetes-admin", "system:masters"),
      client("controller-manager", "system:kube-controller-manager"),
      client("scheduler", "system:kube-scheduler"),
      client("proxy", "system:kube-proxy", "system:node-proxier"),
    ]);
  return {
    ca,
    frontProxyCa,
    serviceAccountKey,
    apiserver,
    apiserverKubeletClient,
    frontProxyClient,
    admin,
    controllerManager,
    scheduler,
    proxy,
    node: (name, names = {}) =>
      keep(`node-${name}`, {
        commonName: `system:node:${name}`,
        organizations: ["system:nodes"],
        usages: ["server", "client"],
        dnsNames: [...new Set([name, ...(names.dnsNames ?? [])])],
        ipAddresses: names.ipAddresses ?? [],
      }),
  };
}

function servingOptions(options: ClusterPkiOptions): IssueOptions {
  const domain = options.clusterDomain ?? "cluster.local";
  const inside = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", `kubernetes.default.svc.${domain}`];
  return {
    commonName: "kube-apiserver",
    usages: ["server"],
    dnsNames: [...new Set([...inside, "localhost", ...(options.serverNames ?? [])])],
    ipAddresses: [...new Set(["127.0.0.1", ...(options.serverAddresses ?? [])])],
  };
}

async function loadOrCreateAuthority(
  storage: PkiStorage | undefined,
  file: string,
  commonName: string,
  clock: Clock,
): Promise<CertificateAuthority> {
  // Who serves nobody but this process loads no X.509.
  const { createCertificateAuthority, loadCertificateAuthority } = await import("./certificate-authority.js");
  const kept = await storage?.load(file);
  if (kept !== undefined) return loadCertificateAuthority(kept, clock);
  const made = await createCertificateAuthority({ commonName, clock });
  await storage?.save(file, made);
  return made;
}

async function loadOrIssue(
  storage: PkiStorage | undefined,
  file: string,
  authority: CertificateAuthority,
  options: IssueOptions,
  clock: Clock,
): Promise<KeyPairPem> {
  const kept = await storage?.load(file);
  if (kept !== undefined && stillGood(kept, authority, options, clock)) return kept;
  const made = await authority.issue(options);
  await storage?.save(file, made);
  return made;
}

export async function createSigningKey(): Promise<SigningKeyPem> {
  return promisify(generateKeyPair)("ec", {
    namedCurve: "P-256",
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  });
}

async function loadOrCreateSigningKey(storage: PkiStorage | undefined): Promise<SigningKeyPem> {
  const kept = await storage?.loadKey("sa");
  if (kept !== undefined) return kept;
  const made = await createSigningKey();
  await storage?.saveKey("sa", made);
  return made;
}
