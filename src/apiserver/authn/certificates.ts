import { X509Certificate } from "node:crypto";
import type { UserInfo } from "../../api/index.js";
import type { Clock } from "../../internal/clock.js";
import { type AuthenticatedUser, type Authenticator, type Peer, withAuthenticatedGroup } from "./authenticator.js";

/** id-kp-clientAuth. */
const clientAuthUsage = "1.3.6.1.5.5.7.3.2";
const maxChainLength = 8;

/**
 * Whether one of `authorities` stands behind the certificate, directly or through intermediates that it came with, all within their
 * time and the first good for clients. Returns why not, or undefined when it is good.
 */
export function verifyClientCertificate(
  certificate: X509Certificate,
  authorities: readonly X509Certificate[],
  nowMs: number,
): string | undefined {
  if (!(certificate.keyUsage ?? []).includes(clientAuthUsage)) {
    return "x509: certificate specifies an incompatible key usage";
  }
  let current = certificate;
  for (let length = 0; length < maxChainLength; length++) {
    if (nowMs < Date.parse(current.validFrom) || nowMs > Date.parse(current.validTo)) {
      return "x509: certificate has expired or is not yet valid";
    }
    const child = current;
    const authority = authorities.find((one) => child.checkIssued(one) && child.verify(one.publicKey));
    if (authority !== undefined) {
      const ended = nowMs > Date.parse(authority.validTo);
      return ended ? "x509: certificate has expired or is not yet valid" : undefined;
    }
    const issuer = current.issuerCertificate;
    if (issuer === undefined || issuer.fingerprint256 === current.fingerprint256) break;
    if (!issuer.ca || !current.checkIssued(issuer) || !current.verify(issuer.publicKey)) break;
    current = issuer;
  }
  return "x509: certificate signed by unknown authority";
}

/** The user that a certificate names: its CN, with its O as groups. */
export function userOfCertificate(certificate: X509Certificate): UserInfo | undefined {
  const subject: Record<string, unknown> = { ...certificate.toLegacyObject().subject };
  const username = subject["CN"];
  if (typeof username !== "string" || username === "") return undefined;
  const organizations = subject["O"];
  const groups = Array.isArray(organizations) ? organizations : organizations === undefined ? [] : [organizations];
  return {
    username,
    groups: groups.filter((group): group is string => typeof group === "string"),
    extra: { "authentication.kubernetes.io/credential-id": [`X509SHA256=${fingerprintOf(certificate)}`] },
  };
}

function fingerprintOf(certificate: X509Certificate): string {
  return certificate.fingerprint256.replaceAll(":", "").toLowerCase();
}

export function parseAuthorities(pems: readonly string[]): readonly X509Certificate[] {
  return pems
    .flatMap((pem) => pem.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? [])
    .map((pem) => new X509Certificate(pem));
}

/** Client certificates signed by one of the authorities (PEM). What was found is kept by connection. */
export function certificateAuthenticator(options: {
  readonly authorities: readonly string[];
  readonly clock: Clock;
}): Authenticator {
  const authorities = parseAuthorities(options.authorities);
  const known = new WeakMap<Peer, { readonly result: AuthenticatedUser; readonly untilMs: number }>();
  return {
    name: "x509",
    authenticate({ peer }) {
      const { certificate } = peer;
      if (certificate === undefined) return undefined;
      const nowMs = options.clock.now();
      const kept = known.get(peer);
      if (kept !== undefined && nowMs <= kept.untilMs) return kept.result;
      const problem = verifyClientCertificate(certificate, authorities, nowMs);
      if (problem !== undefined) throw new Error(problem);
      const user = userOfCertificate(certificate);
      if (user === undefined) return undefined;
      const result = { user: withAuthenticatedGroup(user) };
      known.set(peer, { result, untilMs: Date.parse(certificate.validTo) });
      return result;
    },
  };
}
