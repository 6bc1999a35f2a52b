import { type CertificateSigningRequest, certificateSigningRequests } from "../../api/index.js";
import { nodeNameOf } from "../authz/node.js";
import type { AdmissionRequest } from "./admission.js";
import { refuse, specOf } from "./objects.js";

const kubeletSigners: ReadonlySet<string | undefined> = new Set([
  "kubernetes.io/kubelet-serving",
  "kubernetes.io/kube-apiserver-client-kubelet",
]);

/** A node asks for certificates in its own name only: the signers of kubelets would give it any. */
export async function checkCertificateRequest(request: AdmissionRequest): Promise<void> {
  const { group, resource } = certificateSigningRequests;
  if (request.group !== group || request.resource !== resource || request.operation !== "CREATE") return;
  const { signerName, request: encoded = "" } = specOf<CertificateSigningRequest>(request.object);
  if (nodeNameOf(request.user) === undefined || !kubeletSigners.has(signerName)) return;
  // Few servers ever read one: the parser is loaded by those that do.
  const { parseCertificateRequest } = await import("../pki/certificate-request.js");
  const asked = await parseCertificateRequest(Buffer.from(encoded, "base64").toString()).catch((error: unknown) => {
    throw refuse(request, `unable to parse csr: ${error instanceof Error ? error.message : String(error)}`);
  });
  const { username } = request.user;
  if (asked.commonName !== username) throw refuse(request, `can only create a node CSR with CN=${username}`);
}
