import { ConfigurationError } from "../../../api/configuration-shape.js";
import type { JwtConfiguration } from "./configuration.js";

/** Upstream's `--oidc-*` flags. */
export interface OidcFlags {
  readonly oidcIssuerUrl?: string | undefined;
  readonly oidcClientId?: string | undefined;
  readonly oidcUsernameClaim?: string | undefined;
  /** `-` is none; absent: the issuer's URL and `#`, but for addresses of mail. */
  readonly oidcUsernamePrefix?: string | undefined;
  readonly oidcGroupsClaim?: string | undefined;
  readonly oidcGroupsPrefix?: string | undefined;
  /** `claim=value`. */
  readonly oidcRequiredClaim?: readonly string[] | undefined;
}

/** The same as a configuration has it. Throws ConfigurationError where one is missing. `certificateAuthority` is PEM. */
export function jwtOfFlags(flags: OidcFlags, certificateAuthority: string | undefined): JwtConfiguration {
  const { oidcIssuerUrl: url, oidcClientId: client, oidcUsernameClaim: claim = "sub" } = flags;
  if (!url || !client) {
    throw new ConfigurationError(
      "oidc-issuer-url and oidc-client-id must be specified together when any oidc-* flags are set",
    );
  }
  const { oidcUsernamePrefix: given = "", oidcGroupsClaim: groups, oidcRequiredClaim: needed = [] } = flags;
  const automatic = given === "" && claim !== "email" ? `${url}#` : given;
  return {
    issuer: { url, audiences: [client], ...(certificateAuthority === undefined ? {} : { certificateAuthority }) },
    claimMappings: {
      username: { claim, prefix: automatic === "-" ? "" : automatic },
      ...(groups ? { groups: { claim: groups, prefix: flags.oidcGroupsPrefix ?? "" } } : {}),
    },
    claimValidationRules: needed.map((pair) => {
      const at = pair.indexOf("=");
      if (at < 1) throw new ConfigurationError(`oidc-required-claim: ${JSON.stringify(pair)} is no key=value`);
      return { claim: pair.slice(0, at), requiredValue: pair.slice(at + 1) };
    }),
  };
}
