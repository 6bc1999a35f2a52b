/** How a client shows who it is. Certificate and key are PEM, and come together. */
export interface Credentials {
  readonly token?: string | undefined;
  readonly clientCertificate?: string | undefined;
  readonly clientKey?: string | undefined;
}

/** Credentials that are renewed while a client works. */
export interface CredentialSource {
  /** Asked before every request. Those that it gives are the same object until there are others. */
  current(): Promise<Credentials>;
  /** The server did not know these: the next are to be others. */
  refused(credentials: Credentials): void;
}
