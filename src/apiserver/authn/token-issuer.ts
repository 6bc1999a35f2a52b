import { createHash, createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import { exportJWK, type JWK, type JWTPayload, jwtVerify, SignJWT } from "jose";
import type { Clock } from "../../internal/clock.js";
import type { Random } from "../../internal/random.js";
import { uuid } from "../../internal/uuid.js";
import { serviceAccountUsername } from "./service-account-names.js";

export interface Reference {
  readonly name: string;
  readonly uid?: string;
}

/** The private claims of a bound token, under `kubernetes.io`. */
export interface BoundClaims {
  readonly namespace: string;
  readonly serviceaccount: Required<Reference>;
  readonly pod?: Required<Reference>;
  readonly secret?: Required<Reference>;
  readonly node?: Reference;
  /** Seconds since the epoch: used after this, the token should have been renewed. */
  readonly warnafter?: number;
}

export interface TokenKeyPair {
  /** PEM, PKCS #8: ECDSA P-256 or RSA. */
  readonly privateKey: string;
  /** PEM, SPKI. */
  readonly publicKey: string;
}

export interface TokenIssuerOptions {
  /** The `iss` of tokens, and where OIDC clients look for its keys. */
  readonly issuer: string;
  /** The first signs; all verify, so that keys can be changed without a break. */
  readonly keys: readonly [TokenKeyPair, ...TokenKeyPair[]];
  readonly clock: Clock;
  readonly random: Random;
}

export interface BoundTokenRequest {
  readonly claims: BoundClaims;
  readonly audiences: readonly string[];
  readonly lifetimeSeconds: number;
}

const legacyIssuer = "kubernetes/serviceaccount";
const legacyPrefix = "kubernetes.io/serviceaccount/";

/** Signs service account tokens, and reads those that it signed. Whether what they are bound to is still there is for others to say. */
export interface TokenIssuer {
  readonly issuer: string;
  issue(request: BoundTokenRequest): Promise<string>;
  /** The token of a Secret of type kubernetes.io/service-account-token: it never ends by itself. */
  issueLegacy(secret: {
    readonly namespace: string;
    readonly secretName: string;
    readonly serviceAccount: Required<Reference>;
  }): Promise<string>;
  /** undefined: not one of ours. Throws for one of ours that is bad or over. */
  verify(token: string): Promise<VerifiedToken | undefined>;
  /** The public keys, as JWKS. */
  jwks(): Promise<{ readonly keys: readonly JWK[] }>;
}

export type VerifiedToken =
  | {
      readonly type: "bound";
      readonly claims: BoundClaims;
      readonly audiences: readonly string[];
      readonly id: string | undefined;
    }
  | {
      readonly type: "legacy";
      readonly namespace: string;
      readonly secretName: string;
      readonly serviceAccount: Required<Reference>;
    };

interface SigningKey {
  readonly id: string;
  readonly algorithm: string;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

export function createTokenIssuer(options: TokenIssuerOptions): TokenIssuer {
  const { clock, random, issuer } = options;
  const keys = options.keys.map(loadKey);
  const signer = keys[0] as SigningKey;
  const nowSeconds = (): number => Math.floor(clock.now() / 1000);
  const sign = (payload: JWTPayload): Promise<string> =>
    new SignJWT(payload).setProtectedHeader({ alg: signer.algorithm, kid: signer.id }).sign(signer.privateKey);
  return {
    issuer,
    issue({ claims, audiences, lifetimeSeconds }) {
      const now = nowSeconds();
      return sign({
        aud: [...audiences],
        exp: now + lifetimeSeconds,
        iat: now,
        iss: issuer,
        jti: uuid(random),
        "kubernetes.io": claims,
        nbf: now,
        sub: serviceAccountUsername(claims.namespace, claims.serviceaccount.name),
      });
    },
    issueLegacy({ namespace, secretName, serviceAccount }) {
      return sign({
        iss: legacyIssuer,
        [`${legacyPrefix}namespace`]: namespace,
        [`${legacyPrefix}secret.name`]: secretName,
        [`${legacyPrefix}service-account.name`]: serviceAccount.name,
        [`${legacyPrefix}service-account.uid`]: serviceAccount.uid,
        sub: serviceAccountUsername(namespace, serviceAccount.name),
      });
    },
    verify: (token) => verify(token, keys, issuer, clock.now()),
    jwks: async () => ({ keys: await Promise.all(keys.map(publicJwk)) }),
  };
}

async function verify(
  token: string,
  keys: readonly SigningKey[],
  issuer: string,
  nowMs: number,
): Promise<VerifiedToken | undefined> {
  const claimed = issuerOf(token);
  if (claimed !== issuer && claimed !== legacyIssuer) return undefined;
  let failure: unknown;
  for (const key of keys) {
    try {
      const { payload } = await jwtVerify(token, key.publicKey, {
        algorithms: [key.algorithm],
        currentDate: new Date(nowMs),
        issuer: claimed,
      });
      return claimed === issuer ? readBound(payload) : readLegacy(payload);
    } catch (error) {
      failure = error;
    }
  }
  throw new Error("invalid bearer token", { cause: failure });
}

/** The issuer that a token says it has: only tells whether to look at it at all. */
function issuerOf(token: string): string | undefined {
  const parts = token.split(".");
  if (parts.length !== 3) return undefined;
  try {
    const payload: unknown = JSON.parse(Buffer.from(parts[1] ?? "", "base64url").toString("utf8"));
    return textOf(payload, "iss");
  } catch {
    return undefined;
  }
}

function readBound(payload: JWTPayload): VerifiedToken {
  const raw = payload["kubernetes.io"];
  const namespace = textOf(raw, "namespace");
  const serviceaccount = referenceOf(raw, "serviceaccount");
  if (namespace === undefined || serviceaccount?.uid === undefined) {
    throw new Error("token could not be validated for lack of claims");
  }
  const pod = referenceOf(raw, "pod");
  const secret = referenceOf(raw, "secret");
  const node = referenceOf(raw, "node");
  const audiences = payload.aud === undefined ? [] : Array.isArray(payload.aud) ? payload.aud : [payload.aud];
  return {
    type: "bound",
    id: payload.jti,
    audiences,
    claims: {
      namespace,
      serviceaccount: complete(serviceaccount),
      ...(pod === undefined ? {} : { pod: complete(pod) }),
      ...(secret === undefined ? {} : { secret: complete(secret) }),
      ...(node === undefined ? {} : { node }),
    },
  };
}

function readLegacy(payload: JWTPayload): VerifiedToken {
  const claim = (name: string): string => {
    const value = payload[`${legacyPrefix}${name}`];
    if (typeof value !== "string" || value === "") throw new Error(`${name} claim is missing`);
    return value;
  };
  return {
    type: "legacy",
    namespace: claim("namespace"),
    secretName: claim("secret.name"),
    serviceAccount: { name: claim("service-account.name"), uid: claim("service-account.uid") },
  };
}

function complete(reference: Reference): Required<Reference> {
  return { name: reference.name, uid: reference.uid ?? "" };
}

function referenceOf(claims: unknown, key: string): Reference | undefined {
  if (typeof claims !== "object" || claims === null || !Object.hasOwn(claims, key)) return undefined;
  const value: unknown = (claims as Record<string, unknown>)[key];
  const name = textOf(value, "name");
  if (name === undefined) return undefined;
  const uid = textOf(value, "uid");
  return uid === undefined ? { name } : { name, uid };
}

function textOf(value: unknown, key: string): string | undefined {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined;
  const text: unknown = (value as Record<string, unknown>)[key];
  return typeof text === "string" ? text : undefined;
}

function loadKey(pair: TokenKeyPair): SigningKey {
  const privateKey = createPrivateKey(pair.privateKey);
  const publicKey = createPublicKey(pair.publicKey);
  const der = publicKey.export({ type: "spki", format: "der" });
  return {
    id: createHash("sha256").update(der).digest("base64url"),
    algorithm: publicKey.asymmetricKeyType === "rsa" ? "RS256" : "ES256",
    privateKey,
    publicKey,
  };
}

async function publicJwk(key: SigningKey): Promise<JWK> {
  return { use: "sig", ...(await exportJWK(key.publicKey)), kid: key.id, alg: key.algorithm };
}
