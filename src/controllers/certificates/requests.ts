import type { CertificateSigningRequest } from "../../api/index.js";
import { findCondition } from "../shared/conditions.js";
import type { RequestedCertificate } from "./signer.js";

export const signerNames = {
  client: "kubernetes.io/kube-apiserver-client",
  kubeletClient: "kubernetes.io/kube-apiserver-client-kubelet",
  kubeletServing: "kubernetes.io/kubelet-serving",
  legacyUnknown: "kubernetes.io/legacy-unknown",
} as const;

export function isApproved(request: CertificateSigningRequest): boolean {
  return has(request, "Approved") && !has(request, "Denied");
}

export function isDecided(request: CertificateSigningRequest): boolean {
  return has(request, "Approved") || has(request, "Denied");
}

export function has(request: CertificateSigningRequest, type: string): boolean {
  return findCondition(request.status?.conditions, type) !== undefined;
}

export function requestPem({ spec }: CertificateSigningRequest): string {
  return Buffer.from(spec?.request ?? "", "base64").toString("utf8");
}

/** Why a kubelet may not have this as its client certificate; undefined: it may. */
export function kubeletClientProblem(
  request: RequestedCertificate,
  usages: readonly string[] | undefined,
): string | undefined {
  if (!onlySystemNodes(request)) return "subject organization is not system:nodes";
  if (request.dnsNames.length > 0) return "DNS subjectAltNames are not allowed";
  if (request.emailAddresses.length > 0) return "Email subjectAltNames are not allowed";
  if (request.ipAddresses.length > 0) return "IP subjectAltNames are not allowed";
  if (request.uris.length > 0) return "URI subjectAltNames are not allowed";
  if (!request.commonName.startsWith("system:node:")) return "subject common name does not begin with system:node:";
  return usagesProblem(usages, "client auth");
}

/** The same for the certificate that a kubelet serves with. */
export function kubeletServingProblem(
  request: RequestedCertificate,
  usages: readonly string[] | undefined,
): string | undefined {
  if (!onlySystemNodes(request)) return "subject organization is not system:nodes";
  if (request.dnsNames.length + request.ipAddresses.length === 0) return "DNS or IP subjectAltName is required";
  if (request.emailAddresses.length > 0) return "Email subjectAltNames are not allowed";
  if (request.uris.length > 0) return "URI subjectAltNames are not allowed";
  if (!request.commonName.startsWith("system:node:")) return "subject common name does not begin with system:node:";
  return usagesProblem(usages, "server auth");
}

/** Why the signer of a name refuses; undefined: it signs. */
export function signerProblem(
  signerName: string,
  request: RequestedCertificate,
  usages: readonly string[] | undefined,
): string | undefined {
  switch (signerName) {
    case signerNames.kubeletClient:
      return kubeletClientProblem(request, usages);
    case signerNames.kubeletServing:
      return kubeletServingProblem(request, usages);
    case signerNames.client: {
      const given = usages ?? [];
      const permitted = given.every((usage) => usage === "client auth" || keyUsages.has(usage));
      return permitted && given.includes("client auth") ? undefined : "usages did not match [client auth]";
    }
    default:
      return undefined;
  }
}

const keyUsages: ReadonlySet<string> = new Set(["digital signature", "key encipherment"]);

/** Exactly the purpose and a signature; encipherment of keys, which only RSA knows, may be added. */
function usagesProblem(usages: readonly string[] | undefined, purpose: string): string | undefined {
  const given = new Set(usages ?? []);
  given.delete("key encipherment");
  const fits = given.size === 2 && given.has("digital signature") && given.has(purpose);
  return fits ? undefined : `usages did not match [${purpose} digital signature key encipherment]`;
}

function onlySystemNodes({ organizations }: RequestedCertificate): boolean {
  return organizations.length === 1 && organizations[0] === "system:nodes";
}
