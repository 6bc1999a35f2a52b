import { createHmac } from "node:crypto";
import type { Secret } from "../../api/index.js";

export const tokenType = "bootstrap.kubernetes.io/token";

/** A field of the Secret as text; empty where there is none. */
function fieldOf({ data }: Secret, name: string): string {
  return Buffer.from(data?.[name] ?? "", "base64").toString("utf8");
}

/** When the token ceases to count, in ms; never where it says nothing, and long ago where it says no time. */
export function expiryMs(secret: Secret): number {
  const text = fieldOf(secret, "expiration");
  if (text === "") return Number.POSITIVE_INFINITY;
  const at = /^\d{4}-\d\d-\d\dT/.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(at) ? 0 : at;
}

/** The two parts of a token that signs; undefined for one that does not, or is not named after its id. */
export function signingToken(
  secret: Secret,
  nowMs: number,
): { readonly id: string; readonly secret: string } | undefined {
  const [, named] = /^bootstrap-token-([a-z0-9]{6})$/.exec(secret.metadata.name) ?? [];
  const id = fieldOf(secret, "token-id");
  const key = fieldOf(secret, "token-secret");
  if (secret.type !== tokenType || id === "" || id !== named || key === "" || expiryMs(secret) <= nowMs)
    return undefined;
  return fieldOf(secret, "usage-bootstrap-signing") === "true" ? { id, secret: key } : undefined;
}

/** A JSON web signature (RFC 7515) by HMAC-SHA256, without what it signs. */
export function detachedSignature(content: string, id: string, secret: string): string {
  const encoded = (text: string): string => Buffer.from(text, "utf8").toString("base64url");
  const header = encoded(JSON.stringify({ alg: "HS256", kid: id }));
  const signature = createHmac("sha256", secret)
    .update(`${header}.${encoded(content)}`)
    .digest("base64url");
  return `${header}..${signature}`;
}
