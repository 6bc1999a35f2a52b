import {
  type CertificateSigningRequest,
  type CertificateSigningRequestStatus,
  certificateSigningRequests,
  isStatusError,
} from "../../api/index.js";
import { timestamp } from "../../internal/clock.js";
import type { Controller } from "../controller.js";
import { defineController, type ReconcileContext } from "../define-controller.js";
import { messageOf } from "../shared/pod-control.js";
import { has, isApproved, requestPem, signerNames, signerProblem } from "./requests.js";
import type { CertificateSigner } from "./signer.js";

const longestMs = 365 * 24 * 3_600_000;
const shortestMs = 600_000;
const ours: ReadonlySet<string> = new Set(Object.values(signerNames));

/** Signs what was approved, for the signers of kubernetes.io. */
export function certificateSigningController(signer: CertificateSigner): Controller {
  return defineController<CertificateSigningRequest>({
    name: "certificatesigningrequest-signing-controller",
    aliases: ["csrsigning"],
    account: "certificate-controller",
    for: certificateSigningRequests,
    async reconcile(key, context) {
      const request = context.informer(certificateSigningRequests).get(key);
      if (request?.spec === undefined || request.status?.certificate || !isApproved(request)) return;
      const { signerName = "" } = request.spec;
      if (!ours.has(signerName) || has(request, "Failed")) return;
      await write(request, await statusFor(request, signerName, signer, context), context);
    },
  });
}

async function statusFor(
  request: CertificateSigningRequest,
  signerName: string,
  signer: CertificateSigner,
  { clock }: ReconcileContext,
): Promise<CertificateSigningRequestStatus> {
  const { usages = [], expirationSeconds } = request.spec ?? {};
  const pem = requestPem(request);
  const problem = await signer.parse(pem).then(
    (wanted) => signerProblem(signerName, wanted, usages),
    (error) => `unable to parse csr ${JSON.stringify(request.metadata.name)}: ${messageOf(error)}`,
  );
  if (problem !== undefined) {
    const now = timestamp(clock);
    const failed = {
      type: "Failed",
      status: "True",
      reason: "SignerValidationFailure",
      message: problem,
      lastUpdateTime: now,
      lastTransitionTime: now,
    };
    return { ...request.status, conditions: [...(request.status?.conditions ?? []), failed] };
  }
  const purposes = new Set<"server" | "client">();
  if (usages.includes("server auth")) purposes.add("server");
  if (usages.includes("client auth")) purposes.add("client");
  const asked = expirationSeconds === undefined ? longestMs : expirationSeconds * 1000;
  const validityMs = Math.min(longestMs, Math.max(shortestMs, asked));
  const certificate = await signer.sign(pem, { usages: [...purposes], validityMs });
  return { ...request.status, certificate: Buffer.from(certificate).toString("base64") };
}

async function write(
  request: CertificateSigningRequest,
  status: CertificateSigningRequestStatus,
  { client, signal }: ReconcileContext,
): Promise<void> {
  try {
    await client.update(certificateSigningRequests, { ...request, status }, { subresource: "status", signal });
  } catch (error) {
    if (!isStatusError(error, "NotFound")) throw error;
  }
}
