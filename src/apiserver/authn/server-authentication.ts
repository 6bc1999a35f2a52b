import type { UserInfo } from "../../api/index.js";
import type { Clock } from "../../internal/clock.js";
import type { Logger } from "../../internal/logger.js";
import type { Random } from "../../internal/random.js";
import type { CacheReader } from "../admission/admission.js";
import type { ClusterPki } from "../pki/cluster-pki.js";
import { forAudiences } from "./audiences.js";
import type { Authenticator, TokenAuthenticator } from "./authenticator.js";
import { bearerAuthenticator, staticTokenAuthenticator } from "./bearer.js";
import { bootstrapTokenAuthenticator } from "./bootstrap-tokens.js";
import { certificateAuthenticator } from "./certificates.js";
import { frontProxyAuthenticator } from "./front-proxy.js";
import { serviceAccountTokenAuthenticator } from "./service-account-tokens.js";
import type { TokenIssuer } from "./token-issuer.js";
import { type AnonymousOptions, unionAuthenticator, withAnonymous } from "./union.js";

/** What token authenticators of a server are made with. */
export interface AuthenticationContext {
  /** The server's objects. */
  readonly cache: CacheReader;
  /** Of the API server: what tokens without a purpose of their own are for. */
  readonly audiences: readonly string[];
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** How an API server finds out who asks, beside client certificates, its front proxy and tokens of service accounts. */
export interface AuthenticationOptions {
  /** Bootstrap tokens log in. Default false. */
  readonly bootstrapTokens?: boolean | undefined;
  /** Further bearer tokens, asked in order after all others. They look after audiences themselves, or are wrapped with `forAudiences`. */
  readonly tokenAuthenticators?: ((context: AuthenticationContext) => readonly TokenAuthenticator[]) | undefined;
  /** Default: everywhere. */
  readonly anonymous?: AnonymousOptions | undefined;
}

/** All bearer tokens that a server knows, in upstream's order. */
export function serverTokens(
  context: AuthenticationContext,
  {
    tokens,
    issuer,
    bootstrapTokens = false,
    tokenAuthenticators,
  }: AuthenticationOptions & {
    readonly tokens?: ReadonlyMap<string, UserInfo> | undefined;
    readonly issuer: TokenIssuer;
  },
): readonly TokenAuthenticator[] {
  const { cache, audiences, clock, logger } = context;
  const forApi = (one: TokenAuthenticator): TokenAuthenticator => forAudiences(audiences, one);
  return [
    ...(tokens === undefined ? [] : [forApi(staticTokenAuthenticator(tokens))]),
    serviceAccountTokenAuthenticator({ issuer, cache, clock }),
    ...(bootstrapTokens ? [forApi(bootstrapTokenAuthenticator({ cache, clock, logger }))] : []),
    ...(tokenAuthenticators?.(context) ?? []),
  ];
}

/** Who asks over HTTPS: the front proxy says so, a client certificate, a bearer token, or nobody does. */
export function serverAuthenticator({
  pki,
  frontProxyNames,
  tokens,
  audiences,
  anonymous,
  clock,
}: {
  readonly pki: ClusterPki;
  readonly frontProxyNames: readonly string[];
  readonly tokens: readonly TokenAuthenticator[];
  readonly audiences: readonly string[];
  readonly anonymous: AnonymousOptions | undefined;
  readonly clock: Clock;
}): Authenticator {
  const union = unionAuthenticator([
    frontProxyAuthenticator({
      authorities: [pki.frontProxyCa.certificate],
      allowedNames: frontProxyNames,
      clock,
    }),
    certificateAuthenticator({ authorities: [pki.ca.certificate], clock }),
    bearerAuthenticator({ tokens, audiences, clock }),
  ]);
  return withAnonymous(union, anonymous);
}
