import { X509Certificate } from "node:crypto";

/** What a server behind this one needs to know to believe who this one says is asking. */
export interface AuthenticationInfo {
  /** PEM: who signs the certificates of clients. */
  readonly clientCa: string;
  /** PEM: who signs those of proxies. */
  readonly requestHeaderCa: string;
  /** The names that a proxy's certificate may have. */
  readonly allowedNames: readonly string[];
}

type Data = Readonly<Record<string, string>>;

const headers: Readonly<Record<string, readonly string[]>> = {
  "requestheader-extra-headers-prefix": ["X-Remote-Extra-"],
  "requestheader-group-headers": ["X-Remote-Group"],
  "requestheader-uid-headers": ["X-Remote-Uid"],
  "requestheader-username-headers": ["X-Remote-User"],
};

/**
 * The data of the ConfigMap `kube-system/extension-apiserver-authentication`, with what other API servers put there: each may have an
 * authority of its own. Certificates whose time is over are dropped; what cannot be read counts as absent.
 */
export function authenticationData(own: AuthenticationInfo, present: Data, nowMs: number): Data {
  const lists = { ...headers, "requestheader-allowed-names": own.allowedNames };
  const merged: Record<string, string> = {
    ...present,
    "client-ca-file": joinCertificates([present["client-ca-file"], own.clientCa], nowMs),
    "requestheader-client-ca-file": joinCertificates(
      [present["requestheader-client-ca-file"], own.requestHeaderCa],
      nowMs,
    ),
  };
  for (const [key, values] of Object.entries(lists)) {
    merged[key] = JSON.stringify([...new Set([...listIn(present[key]), ...values])]);
  }
  return merged;
}

function listIn(text: string | undefined): readonly string[] {
  try {
    const list: unknown = JSON.parse(text ?? "[]");
    return Array.isArray(list) ? list.filter((item): item is string => typeof item === "string") : [];
  } catch {
    return [];
  }
}

const certificate = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

function joinCertificates(bundles: readonly (string | undefined)[], nowMs: number): string {
  const found = new Map<string, string>();
  for (const [pem] of bundles.flatMap((bundle) => [...(bundle ?? "").matchAll(certificate)])) {
    const fingerprint = fingerprintOf(pem, nowMs);
    if (fingerprint !== undefined && !found.has(fingerprint)) found.set(fingerprint, pem);
  }
  return [...found.values()].map((pem) => `${pem}\n`).join("");
}

/** undefined: no certificate, or one whose time is over. */
function fingerprintOf(pem: string, nowMs: number): string | undefined {
  try {
    const parsed = new X509Certificate(pem);
    return Date.parse(parsed.validTo) < nowMs ? undefined : parsed.fingerprint256;
  } catch {
    return undefined;
  }
}
