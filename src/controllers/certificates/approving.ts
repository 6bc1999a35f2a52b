import {
  type CertificateSigningRequest,
  certificateSigningRequests,
  isStatusError,
  type New,
  type SubjectAccessReview,
  subjectAccessReviews,
} from "../../api/index.js";
import { timestamp } from "../../internal/clock.js";
import type { Controller } from "../controller.js";
import { defineController, type ReconcileContext } from "../define-controller.js";
import { isDecided, kubeletClientProblem, requestPem, signerNames } from "./requests.js";
import type { CertificateSigner, RequestedCertificate } from "./signer.js";

/** Kinds of requests that are approved for those who may make them: subresource to what is said then. */
const selfNode = {
  subresource: "selfnodeclient",
  message: "Auto approving self kubelet client certificate after SubjectAccessReview.",
};
const node = {
  subresource: "nodeclient",
  message: "Auto approving kubelet client certificate after SubjectAccessReview.",
};

/** Approves the client certificates of kubelets, for those whom RBAC lets ask for one. */
export function certificateApprovingController({ parse }: Pick<CertificateSigner, "parse">): Controller {
  return defineController<CertificateSigningRequest>({
    name: "certificatesigningrequest-approving-controller",
    aliases: ["csrapproving"],
    account: "certificate-controller",
    for: certificateSigningRequests,
    async reconcile(key, context) {
      const request = context.informer(certificateSigningRequests).get(key);
      if (request?.spec === undefined || request.status?.certificate || isDecided(request)) return;
      if (request.spec.signerName !== signerNames.kubeletClient) return;
      // What does not parse was let in by nobody's validation; it stays for a person to look at.
      const wanted = await parse(requestPem(request)).catch(() => undefined);
      if (wanted === undefined || kubeletClientProblem(wanted, request.spec.usages) !== undefined) return;
      for (const kind of kindsOf(request, wanted)) {
        if (await isAllowed(request, kind.subresource, context)) return approve(request, kind.message, context);
      }
      throw new Error(`recognized csr ${JSON.stringify(key)} but subject access review was not approved`);
    },
  });
}

function kindsOf(
  request: CertificateSigningRequest,
  wanted: RequestedCertificate,
): readonly { readonly subresource: string; readonly message: string }[] {
  return request.spec?.username === wanted.commonName ? [selfNode, node] : [node];
}

async function isAllowed(
  { spec }: CertificateSigningRequest,
  subresource: string,
  { client, signal }: ReconcileContext,
): Promise<boolean> {
  const { username = "", uid, groups, extra } = spec ?? {};
  const review: New<SubjectAccessReview> = {
    apiVersion: "authorization.k8s.io/v1",
    kind: "SubjectAccessReview",
    metadata: {},
    spec: {
      user: username,
      ...(uid === undefined ? {} : { uid }),
      ...(groups === undefined ? {} : { groups }),
      ...(extra === undefined ? {} : { extra }),
      resourceAttributes: {
        group: "certificates.k8s.io",
        resource: "certificatesigningrequests",
        verb: "create",
        subresource,
        version: "*",
      },
    },
  };
  const { status } = await client.create<SubjectAccessReview>(subjectAccessReviews, review, { signal });
  return status?.allowed === true;
}

async function approve(
  request: CertificateSigningRequest,
  message: string,
  { client, clock, signal }: ReconcileContext,
): Promise<void> {
  const now = timestamp(clock);
  const conditions = [
    ...(request.status?.conditions ?? []),
    {
      type: "Approved",
      status: "True",
      reason: "AutoApproved",
      message,
      lastUpdateTime: now,
      lastTransitionTime: now,
    },
  ];
  const next = { ...request, status: { ...request.status, conditions } };
  try {
    await client.update(certificateSigningRequests, next, { subresource: "approval", signal });
  } catch (error) {
    if (!isStatusError(error, "NotFound")) throw error;
  }
}
