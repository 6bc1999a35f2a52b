import type { X509Certificate } from "node:crypto";
import type { Clock } from "../../internal/clock.js";
import { type Authenticator, withAuthenticatedGroup } from "./authenticator.js";
import { parseAuthorities, userOfCertificate, verifyClientCertificate } from "./certificates.js";
import { headerValues, type ReceivedHeaders } from "./header-values.js";

const extraPrefix = "x-remote-extra-";

/** Users as a front proxy says who they are in `X-Remote-*` headers, believed only from a proxy that shows a certificate of its own authority. */
export function frontProxyAuthenticator(options: {
  readonly authorities: readonly string[];
  /** The names that the proxy's certificate may have; empty: any. */
  readonly allowedNames: readonly string[];
  readonly clock: Clock;
}): Authenticator {
  const authorities = parseAuthorities(options.authorities);
  const trusted = (certificate: X509Certificate): boolean => {
    if (verifyClientCertificate(certificate, authorities, options.clock.now()) !== undefined) return false;
    if (options.allowedNames.length === 0) return true;
    return options.allowedNames.includes(userOfCertificate(certificate)?.username ?? "");
  };
  return {
    name: "requestheader",
    authenticate(request) {
      const { headers, peer } = request;
      const [username] = headerValues(request, "x-remote-user");
      if (username === undefined || username === "" || peer.certificate === undefined) return undefined;
      if (!trusted(peer.certificate)) return undefined;
      const groups = headerValues(request, "x-remote-group");
      const [uid] = headerValues(request, "x-remote-uid");
      const extra = extraOf(request);
      // Nothing behind us is to take them for its own.
      for (const name of Object.keys(headers)) if (name.startsWith("x-remote-")) delete headers[name];
      return { user: withAuthenticatedGroup({ username, groups, ...(uid === undefined ? {} : { uid }), extra }) };
    },
  };
}

function extraOf(request: ReceivedHeaders): Record<string, readonly string[]> {
  const extra = Object.create(null) as Record<string, readonly string[]>;
  for (const name of Object.keys(request.headers)) {
    if (name.startsWith(extraPrefix)) extra[decodeKey(name.slice(extraPrefix.length))] = headerValues(request, name);
  }
  return extra;
}

function decodeKey(key: string): string {
  try {
    return decodeURIComponent(key);
  } catch {
    return key;
  }
}
