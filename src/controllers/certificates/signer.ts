/** What a PKCS #10 request asks for. */
export interface RequestedCertificate {
  readonly commonName: string;
  readonly organizations: readonly string[];
  readonly dnsNames: readonly string[];
  readonly ipAddresses: readonly string[];
  readonly emailAddresses: readonly string[];
  readonly uris: readonly string[];
}

/** Who holds the authority's key. */
export interface CertificateSigner {
  /** Reads a request in PEM. Rejects for what is none, or is not signed by its own key. */
  parse(pem: string): Promise<RequestedCertificate>;
  /** Issues what the request asks for, in PEM. */
  sign(
    pem: string,
    options: { readonly usages: readonly ("server" | "client")[]; readonly validityMs: number },
  ): Promise<string>;
}
