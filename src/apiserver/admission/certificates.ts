import type { CertificateSigningRequest } from "../../api/index.js";
import type { AuthorizationAttributes, Authorizer } from "../authz/authorizer.js";
import type { AdmissionPlugin, AdmissionRequest } from "./admission.js";
import { refuse, specOf } from "./objects.js";

const group = "certificates.k8s.io";

function on(subresource: string): (request: AdmissionRequest) => boolean {
  return (request) =>
    request.group === group && request.resource === "certificatesigningrequests" && request.subresource === subresource;
}

/** Signers are authorized by name, or by domain: `example.com/*`. */
async function maySign(
  authorizer: Authorizer,
  request: AdmissionRequest,
  verb: string,
  signer: string,
): Promise<boolean> {
  const slash = signer.indexOf("/");
  for (const name of [signer, `${signer.slice(0, slash)}/*`]) {
    const attributes: AuthorizationAttributes = {
      user: request.user,
      verb,
      group,
      version: "*",
      resource: "signers",
      subresource: "",
      namespace: "",
      name,
    };
    if ((await authorizer.authorize(attributes)).decision === "allow") return true;
  }
  return false;
}

function signerOf(request: AdmissionRequest): string {
  return specOf<CertificateSigningRequest>(request.oldObject ?? request.object).signerName ?? "";
}

/** Who approves a request must be allowed to approve for its signer. */
export function certificateApproval(deps: { readonly authorizer: Authorizer }): AdmissionPlugin {
  return {
    name: "CertificateApproval",
    handles: (request) => request.operation === "UPDATE" && on("approval")(request),
    async validate(request) {
      const signer = signerOf(request);
      if (await maySign(deps.authorizer, request, "approve", signer)) return;
      throw refuse(request, `user not permitted to approve requests with signerName ${JSON.stringify(signer)}`);
    },
  };
}

/** Who fills in a certificate or fails a request must be allowed to sign for its signer. */
export function certificateSigning(deps: { readonly authorizer: Authorizer }): AdmissionPlugin {
  return {
    name: "CertificateSigning",
    handles: (request) => request.operation === "UPDATE" && on("status")(request),
    async validate(request) {
      const before = JSON.stringify(request.oldObject?.["status"] ?? {});
      if (before === JSON.stringify(request.object?.["status"] ?? {})) return;
      const signer = signerOf(request);
      if (await maySign(deps.authorizer, request, "sign", signer)) return;
      throw refuse(request, `user not permitted to sign requests with signerName ${JSON.stringify(signer)}`);
    },
  };
}

/** Nobody asks for a certificate of system:masters through the API. `organizationsOf` reads a PEM certificate request. */
export function certificateSubjectRestriction(deps: {
  readonly organizationsOf: (pem: string) => Promise<readonly string[]> | readonly string[];
}): AdmissionPlugin {
  return {
    name: "CertificateSubjectRestriction",
    handles: (request) => request.operation === "CREATE" && on("")(request),
    async validate(request) {
      const { signerName, request: encoded } = specOf<CertificateSigningRequest>(request.object);
      if (signerName !== "kubernetes.io/kube-apiserver-client" || encoded === undefined) return;
      const organizations = await deps.organizationsOf(Buffer.from(encoded, "base64").toString("utf8"));
      if (!organizations.includes("system:masters")) return;
      throw refuse(request, `use of ${signerName} signer with system:masters group is not allowed`);
    },
  };
}
