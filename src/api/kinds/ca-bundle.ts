import { X509Certificate } from "node:crypto";

const block = /-----BEGIN ([^\n-]*)-----\r?\n([^-]*)-----END \1-----/g;

/** Why no certificates can be read from a bundle; other blocks in it do not matter. */
export function caBundleProblem(base64: string): string | undefined {
  const text = Buffer.from(base64, "base64").toString("latin1");
  let found = 0;
  for (const [pem, type, body = ""] of text.matchAll(block)) {
    if (type !== "CERTIFICATE" || body.includes(":")) continue;
    found++;
    try {
      new X509Certificate(pem);
    } catch {
      return "x509: malformed certificate";
    }
  }
  return found === 0 ? "data does not contain any valid RSA or ECDSA certificates" : undefined;
}
