import { nodes, pods, secrets, serviceAccounts } from "../../api/index.js";
import type { Clock } from "../../internal/clock.js";
import type { CacheReader } from "../admission/admission.js";
import type { AuthenticatedUser, TokenAuthenticator } from "./authenticator.js";
import { serviceAccountGroups, serviceAccountUsername } from "./service-account-names.js";
import type { BoundClaims, Reference, TokenIssuer, VerifiedToken } from "./token-issuer.js";

/** Deletion is only announced for a while before it counts: a pod's processes still need their token to shut down. */
const deletionLeewayMs = 60_000;

export interface ServiceAccountTokenOptions {
  readonly issuer: TokenIssuer;
  readonly cache: CacheReader;
  readonly clock: Clock;
}

/** Tokens of service accounts: signed by us, in time, for this audience, and everything that they are bound to still there. */
export function serviceAccountTokenAuthenticator(options: ServiceAccountTokenOptions): TokenAuthenticator {
  return {
    name: "serviceaccount",
    async authenticateToken(token, audiences) {
      const verified = await options.issuer.verify(token);
      if (verified === undefined) return undefined;
      return verified.type === "bound"
        ? checkBound(verified, audiences, options)
        : checkLegacy(verified, audiences, options);
    },
  };
}

function checkBound(
  token: Extract<VerifiedToken, { type: "bound" }>,
  wanted: readonly string[],
  { cache, clock }: ServiceAccountTokenOptions,
): AuthenticatedUser {
  const audiences = wanted.length === 0 ? token.audiences : token.audiences.filter((one) => wanted.includes(one));
  if (audiences.length === 0) {
    throw new Error(`token audiences ${format(token.audiences)} is invalid for the target audiences ${format(wanted)}`);
  }
  const { claims } = token;
  const { namespace } = claims;
  const now = clock.now();
  const alive = (what: string, found: Found | undefined, claim: Required<Reference>): void =>
    mustLive(what, found, claim, now);
  alive(
    "service account",
    cache.get(serviceAccounts, { namespace, name: claims.serviceaccount.name }),
    claims.serviceaccount,
  );
  if (claims.pod) alive("pod", cache.get(pods, { namespace, name: claims.pod.name }), claims.pod);
  if (claims.secret) alive("secret", cache.get(secrets, { namespace, name: claims.secret.name }), claims.secret);
  if (claims.node?.uid && claims.pod === undefined) {
    alive("node", cache.get(nodes, { name: claims.node.name }), { name: claims.node.name, uid: claims.node.uid });
  }
  return {
    audiences,
    user: {
      username: serviceAccountUsername(namespace, claims.serviceaccount.name),
      uid: claims.serviceaccount.uid,
      groups: serviceAccountGroups(namespace),
      extra: extraOf(claims, token.id),
    },
  };
}

function checkLegacy(
  token: Extract<VerifiedToken, { type: "legacy" }>,
  wanted: readonly string[],
  { cache, clock }: ServiceAccountTokenOptions,
): AuthenticatedUser {
  const { namespace, serviceAccount } = token;
  const now = clock.now();
  mustLive(
    "service account",
    cache.get(serviceAccounts, { namespace, name: serviceAccount.name }),
    serviceAccount,
    now,
  );
  const secret = cache.get(secrets, { namespace, name: token.secretName });
  if (secret === undefined || secret.metadata.deletionTimestamp !== undefined) {
    throw new Error("token has been invalidated: its secret is gone");
  }
  return {
    // Without an audience of its own it is for the API server only, and the caller asks for exactly that.
    audiences: wanted,
    user: {
      username: serviceAccountUsername(namespace, serviceAccount.name),
      uid: serviceAccount.uid,
      groups: serviceAccountGroups(namespace),
    },
  };
}

interface Found {
  readonly metadata: { readonly uid?: string; readonly deletionTimestamp?: string };
}

function mustLive(what: string, found: Found | undefined, claim: Required<Reference>, nowMs: number): void {
  if (found === undefined) throw new Error(`${what} ${claim.name} of the token is not there`);
  if (found.metadata.uid !== claim.uid)
    throw new Error(`${what} UID (${found.metadata.uid}) does not match claim (${claim.uid})`);
  const deletion = found.metadata.deletionTimestamp;
  if (deletion !== undefined && Date.parse(deletion) + deletionLeewayMs < nowMs) {
    throw new Error(`${what} ${claim.name} of the token has been deleted`);
  }
}

function extraOf(claims: BoundClaims, id: string | undefined): Record<string, readonly string[]> {
  const extra: Record<string, readonly string[]> = {};
  const put = (key: string, value: string | undefined): void => {
    if (value !== undefined && value !== "") extra[`authentication.kubernetes.io/${key}`] = [value];
  };
  put("credential-id", id === undefined ? undefined : `JTI=${id}`);
  put("pod-name", claims.pod?.name);
  put("pod-uid", claims.pod?.uid);
  put("node-name", claims.node?.name);
  put("node-uid", claims.node?.uid);
  return extra;
}

function format(audiences: readonly string[]): string {
  return `[${audiences.map((audience) => JSON.stringify(audience)).join(" ")}]`;
}
