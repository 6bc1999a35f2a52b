import { compactVerify, decodeJwt, decodeProtectedHeader, errors, type JWTPayload } from "jose";
import type { Clock } from "../../../internal/clock.js";
import type { TokenAuthenticator } from "../authenticator.js";
import { userOfClaims } from "./claims.js";
import type { CompiledJwt } from "./compile.js";
import { type FetchJson, type IssuerKeys, issuerKeys } from "./issuer-keys.js";

/** What the issuer may sign with, beside nothing else. */
export const jwtSigningAlgorithms: readonly string[] = [
  "ES256",
  "ES384",
  "ES512",
  "PS256",
  "PS384",
  "PS512",
  "RS256",
  "RS384",
  "RS512",
];

export interface JwtAuthenticatorOptions {
  readonly clock: Clock;
  /** Default: all of `jwtSigningAlgorithms`. */
  readonly signingAlgorithms?: readonly string[] | undefined;
  /** Default: as discovery gives them. */
  readonly keys?: IssuerKeys | undefined;
  readonly fetchJson?: FetchJson | undefined;
}

const notBeforeLeewaySeconds = 60;
/** Longer ones are refused before they are read. */
const maxTokenLength = 64 * 1024;

/**
 * Tokens of one issuer, as OpenID Connect has them: signed by a key of the issuer's, for one of its audiences, in their time, and mapped to
 * a user. Tokens of other issuers are not known. They know nothing of the API's audiences: see `forAudiences`.
 */
export function jwtAuthenticator(compiled: CompiledJwt, options: JwtAuthenticatorOptions): TokenAuthenticator {
  const { issuer } = compiled.configuration;
  const keys = options.keys ?? issuerKeys(issuer, options);
  const algorithms = [...(options.signingAlgorithms ?? jwtSigningAlgorithms)];
  return {
    name: `jwt:${issuer.url}`,
    async authenticateToken(token) {
      if (untrustedIssuer(token) !== issuer.url) return undefined;
      const claims = await verified(token, keys, algorithms);
      checkClaims(claims, issuer.audiences, options.clock.now() / 1000);
      return { user: await userOfClaims(claims, compiled) };
    },
  };
}

/** The issuer that a token says it is from, for which nobody has vouched; undefined for what is no token of this kind. */
function untrustedIssuer(token: string): string | undefined {
  if (token.length > maxTokenLength || token.split(".").length !== 3) return undefined;
  try {
    const { iss } = decodeJwt(token);
    // What Google signed once, as its discovery has it.
    return iss === "accounts.google.com" ? "https://accounts.google.com" : iss;
  } catch (error) {
    if (error instanceof errors.JWTInvalid) return undefined;
    throw error;
  }
}

async function verified(token: string, keys: IssuerKeys, algorithms: string[]): Promise<JWTPayload> {
  try {
    const header = decodeProtectedHeader(token);
    if (!algorithms.includes(header.alg ?? "")) {
      const supported = `[${algorithms.map(quoted).join(" ")}]`;
      throw new Error(
        `oidc: id token signed with unsupported algorithm, expected ${supported} got ${quoted(header.alg ?? "")}`,
      );
    }
    let failure: unknown;
    for (const key of await keys.keysFor(header)) {
      try {
        return parsed((await compactVerify(token, key, { algorithms })).payload);
      } catch (error) {
        failure = error;
      }
    }
    throw failure;
  } catch (cause) {
    throw new Error(`oidc: verify token: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

function parsed(payload: Uint8Array): JWTPayload {
  return JSON.parse(Buffer.from(payload).toString("utf8")) as JWTPayload;
}

function checkClaims(claims: JWTPayload, audiences: readonly string[], nowSeconds: number): void {
  const { aud, exp, nbf } = claims;
  const given = typeof aud === "string" ? [aud] : Array.isArray(aud) ? aud : [];
  if (!given.some((audience) => audiences.includes(audience))) {
    const [wanted, got] = [[...audiences].sort(), given].map((list) => `[${list.map(quoted).join(" ")}]`);
    throw new Error(`oidc: verify token: oidc: expected audience in ${wanted} got ${got}`);
  }
  if (typeof exp !== "number" || exp <= nowSeconds) {
    throw new Error("oidc: verify token: oidc: token is expired");
  }
  if (typeof nbf === "number" && nowSeconds + notBeforeLeewaySeconds < nbf) {
    throw new Error("oidc: verify token: current time is before the nbf (not before) time");
  }
}

function quoted(text: string): string {
  return JSON.stringify(text);
}
