const connecting: ReadonlyMap<string, string> = new Map([
  ["ECONNREFUSED", "connect: connection refused"],
  ["EHOSTUNREACH", "connect: no route to host"],
  ["ENETUNREACH", "connect: network is unreachable"],
  ["ETIMEDOUT", "connect: connection timed out"],
]);

const unverified = "tls: failed to verify certificate: x509:";

const certificates: ReadonlyMap<string, string> = new Map([
  ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", `${unverified} certificate signed by unknown authority`],
  ["UNABLE_TO_GET_ISSUER_CERT_LOCALLY", `${unverified} certificate signed by unknown authority`],
  ["SELF_SIGNED_CERT_IN_CHAIN", `${unverified} certificate signed by unknown authority`],
  ["DEPTH_ZERO_SELF_SIGNED_CERT", `${unverified} certificate signed by unknown authority`],
  ["CERT_SIGNATURE_FAILURE", `${unverified} certificate signed by unknown authority`],
  ["CERT_HAS_EXPIRED", `${unverified} certificate has expired or is not yet valid`],
  ["CERT_NOT_YET_VALID", `${unverified} certificate has expired or is not yet valid`],
]);

/** Why a connection could not be made, in the words that operators know from upstream. The cause has Node's. */
export function dialError(cause: unknown, { host, port }: { readonly host: string; readonly port: number }): Error {
  const why = causeOf(cause);
  const address = `${host.includes(":") ? `[${host}]` : host}:${port}`;
  const text = connecting.get(why.code);
  if (text !== undefined) return new Error(`dial tcp ${address}: ${text}`, { cause });
  const names = why.code === "ERR_TLS_CERT_ALTNAME_INVALID" ? `${unverified} ${why.message}` : undefined;
  return new Error(certificates.get(why.code) ?? names ?? why.message, { cause });
}

function causeOf(error: unknown): { readonly code: string; readonly message: string } {
  if (!(error instanceof Error)) return { code: "", message: String(error) };
  return { code: "code" in error ? String(error.code) : "", message: error.message };
}
