import type { CertificateAuthority } from "../apiserver/pki/certificate-authority.js";
import type { CertificateRequest } from "../apiserver/pki/certificate-request.js";
import type { CertificateSigner } from "../controllers/index.js";

/** Signs what nodes and people ask for with the cluster's authority. */
export function certificateSigner(authority: CertificateAuthority): CertificateSigner {
  return {
    parse,
    async sign(pem, options) {
      const { publicKey, ...names } = await parse(pem);
      return authority.sign(publicKey, { ...names, ...options });
    },
  };
}

/** Loaded with the first request: most clusters of a test see none, and it is a heavy door. */
async function parse(pem: string): Promise<CertificateRequest> {
  const { parseCertificateRequest } = await import("../apiserver/pki/certificate-request.js");
  return parseCertificateRequest(pem);
}
