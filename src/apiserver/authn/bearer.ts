import { createHash } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import type { UserInfo } from "../../api/index.js";
import type { Clock } from "../../internal/clock.js";
import { ExpiringMap } from "../../internal/expiring-map.js";
import {
  type AuthenticatedUser,
  type Authenticator,
  type Peer,
  type TokenAuthenticator,
  withAuthenticatedGroup,
} from "./authenticator.js";

/** A token that was good is good for so long without another look. */
const cacheMs = 10_000;
const cacheLimit = 4096;
const webSocketPrefix = "base64url.bearer.authorization.k8s.io.";

/** The token of a request: of its Authorization header or, from a browser, of its WebSocket subprotocol. */
export function bearerTokenOf(headers: IncomingHttpHeaders): string | undefined {
  const header = headers.authorization;
  if (header !== undefined) {
    const [scheme = "", token = ""] = header.split(" ");
    return scheme.toLowerCase() === "bearer" && token !== "" ? token : undefined;
  }
  const offered = headers["sec-websocket-protocol"];
  if (offered === undefined || !offered.includes(webSocketPrefix)) return undefined;
  for (const protocol of offered.split(",")) {
    const name = protocol.trim();
    if (!name.startsWith(webSocketPrefix)) continue;
    return Buffer.from(name.slice(webSocketPrefix.length), "base64url").toString("utf8");
  }
  return undefined;
}

/** Bearer tokens, asked of each token authenticator in turn. A token that none knows is an error, and so is one that is bad. */
export function bearerAuthenticator(options: {
  readonly tokens: readonly TokenAuthenticator[];
  /** Of the API server: a token made for somebody else is no credential here. */
  readonly audiences: readonly string[];
  readonly clock: Clock;
}): Authenticator {
  const cache = new ExpiringMap<AuthenticatedUser>(options.clock, cacheLimit);
  // A connection sends the same token again and again.
  const byPeer = new WeakMap<Peer, { readonly token: string; readonly key: string }>();
  const keyOf = (token: string, peer: Peer): string => {
    const known = byPeer.get(peer);
    if (known?.token === token) return known.key;
    const key = createHash("sha256").update(token).digest("base64");
    byPeer.set(peer, { token, key });
    return key;
  };
  const ask = async (token: string, key: string): Promise<AuthenticatedUser> => {
    const found = await authenticateToken(options.tokens, token, options.audiences);
    const result = { ...found, user: withAuthenticatedGroup(found.user) };
    cache.put(key, result, cacheMs);
    return result;
  };
  return {
    name: "bearer",
    authenticate({ headers, peer }) {
      const token = bearerTokenOf(headers);
      if (token === undefined) return undefined;
      const key = keyOf(token, peer);
      return cache.get(key) ?? ask(token, key);
    },
  };
}

/** Throws when nobody knows the token, with every error that there was. */
export async function authenticateToken(
  authenticators: readonly TokenAuthenticator[],
  token: string,
  audiences: readonly string[],
): Promise<AuthenticatedUser> {
  const errors: unknown[] = [];
  for (const authenticator of authenticators) {
    try {
      const found = await authenticator.authenticateToken(token, audiences);
      if (found !== undefined) return found;
    } catch (error) {
      errors.push(error);
    }
  }
  throw new AggregateError(errors, "invalid bearer token");
}

/** Tokens that are known beforehand, as of upstream's token file. */
export function staticTokenAuthenticator(tokens: ReadonlyMap<string, UserInfo>): TokenAuthenticator {
  const users = new Map([...tokens].map(([token, user]) => [digest(token), user]));
  return {
    name: "static",
    authenticateToken(token) {
      // Looked up by digest, so that the time taken tells nothing of how much of a token is right.
      const user = users.get(digest(token));
      return user === undefined ? undefined : { user };
    },
  };
}

function digest(token: string): string {
  return createHash("sha256").update(token).digest("base64");
}
