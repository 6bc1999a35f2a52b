import "reflect-metadata";
import type { webcrypto } from "node:crypto";
import { Pkcs10CertificateRequest, SubjectAlternativeNameExtension } from "@peculiar/x509";

/** What a PKCS #10 request asks for. Who sent it holds the key: its signature was checked. */
export interface CertificateRequest {
  readonly commonName: string;
  readonly organizations: readonly string[];
  readonly dnsNames: readonly string[];
  readonly ipAddresses: readonly string[];
  readonly emailAddresses: readonly string[];
  readonly uris: readonly string[];
  /** For `CertificateAuthority.sign`. */
  readonly publicKey: webcrypto.CryptoKey;
}

/** Reads a request in PEM. Rejects for what is none, or is not signed by its own key. */
export async function parseCertificateRequest(pem: string): Promise<CertificateRequest> {
  const request = new Pkcs10CertificateRequest(pem);
  if (!(await request.verify())) throw new Error("the certificate request is not signed by its own key");
  const extension = request.extensions.find((one) => one instanceof SubjectAlternativeNameExtension);
  const names = extension instanceof SubjectAlternativeNameExtension ? extension.names.items : [];
  const ofType = (type: string): readonly string[] =>
    names.filter((name) => name.type === type).map((name) => name.value);
  return {
    commonName: request.subjectName.getField("CN")[0] ?? "",
    organizations: request.subjectName.getField("O"),
    dnsNames: ofType("dns"),
    ipAddresses: ofType("ip"),
    emailAddresses: ofType("email"),
    uris: ofType("url"),
    publicKey: (await request.publicKey.export()) as webcrypto.CryptoKey,
  };
}
