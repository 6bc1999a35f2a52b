import { X509Certificate } from "node:crypto";
import type { Clock } from "../../internal/clock.js";
import type { CertificateAuthority, IssueOptions, KeyPairPem } from "./certificate-authority.js";

const renewBeforeMs = 30 * 24 * 3600 * 1000;

/** Whether a kept certificate is by this authority, lasts for a while, and names everything that it should. */
export function stillGood(
  kept: KeyPairPem,
  authority: Pick<CertificateAuthority, "certificate">,
  options: IssueOptions,
  clock: Clock,
): boolean {
  const certificate = new X509Certificate(kept.certificate);
  const issuer = new X509Certificate(authority.certificate);
  if (!certificate.checkIssued(issuer) || !certificate.verify(issuer.publicKey)) return false;
  if (Date.parse(certificate.validTo) < clock.now() + renewBeforeMs) return false;
  return (
    (options.dnsNames ?? []).every((name) => certificate.checkHost(name) !== undefined) &&
    (options.ipAddresses ?? []).every((address) => certificate.checkIP(address) !== undefined)
  );
}
