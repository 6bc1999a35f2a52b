import type { X509Certificate } from "node:crypto";
import type { UserInfo } from "../../api/index.js";
import type { ReceivedHeaders } from "./header-values.js";

/** The client's end of one connection. One object per connection, so that what is worked out of it can be kept by it. */
export interface Peer {
  /** The certificate that the client showed; it holds the private key, but nobody has yet looked who signed it. */
  readonly certificate: X509Certificate | undefined;
  readonly address: string | undefined;
}

export interface AuthenticationRequest extends ReceivedHeaders {
  readonly peer: Peer;
  /** Of the URL, as it was sent. */
  readonly path?: string | undefined;
}

export interface AuthenticatedUser {
  readonly user: UserInfo;
  /** For whom a token was made; empty where there is no such thing. */
  readonly audiences?: readonly string[];
}

/**
 * Finds out who asks. undefined: there are no credentials of this kind, ask the next. Throwing means that there are and that they are
 * bad: the request is refused with 401 unless another authenticator knows them, and never becomes anonymous.
 */
export interface Authenticator {
  readonly name: string;
  authenticate(request: AuthenticationRequest): AuthenticatedUser | undefined | Promise<AuthenticatedUser | undefined>;
}

/** Who a bearer token is. The same contract as Authenticator's. */
export interface TokenAuthenticator {
  readonly name: string;
  /** `audiences` are those that the token must have at least one of. */
  authenticateToken(
    token: string,
    audiences: readonly string[],
  ): AuthenticatedUser | undefined | Promise<AuthenticatedUser | undefined>;
}

export const anonymousUser: UserInfo = { username: "system:anonymous", groups: ["system:unauthenticated"] };

export const authenticatedGroup = "system:authenticated";
export const mastersGroup = "system:masters";

/** The user with `system:authenticated`, as every known user has it. */
export function withAuthenticatedGroup(user: UserInfo): UserInfo {
  if (user.groups.includes(authenticatedGroup) || user.groups.includes("system:unauthenticated")) return user;
  return { ...user, groups: [...user.groups, authenticatedGroup] };
}
