import { readFile } from "node:fs/promises";
import { type Command, Option } from "commander";
import { ConfigurationError } from "../api/configuration-shape.js";
import { parseDurationMs } from "../api/duration.js";
import type { UserInfo } from "../api/index.js";
import { forAudiences } from "../apiserver/authn/audiences.js";
import { authenticationFile } from "../apiserver/authn/jwt/authentication-file.js";
import { jwtAuthenticator, jwtSigningAlgorithms } from "../apiserver/authn/jwt/jwt-authenticator.js";
import { jwtOfFlags, type OidcFlags } from "../apiserver/authn/jwt/oidc-flags.js";
import { compileAuthentication } from "../apiserver/authn/jwt/read-configuration.js";
import type { AuthenticationOptions } from "../apiserver/authn/server-authentication.js";
import { defaultIssuer } from "../apiserver/authn/service-account-names.js";
import { parseTokenFile } from "../apiserver/authn/token-file.js";
import { webhookTokenAuthenticator } from "../apiserver/authn/token-webhook.js";
import { webhookClient } from "../apiserver/outbound/webhook.js";
import { webhookConnection } from "../cluster/webhook-connection.js";
import type { Component } from "../internal/component.js";
import type { Logger } from "../internal/logger.js";
import { parseBoolean, parseNames } from "./up-options.js";

export interface AuthenticationFlags extends OidcFlags {
  readonly anonymousAuth?: boolean | undefined;
  readonly enableBootstrapTokenAuth: boolean;
  readonly tokenAuthFile?: string | undefined;
  readonly authenticationConfig?: string | undefined;
  readonly authenticationTokenWebhookConfigFile?: string | undefined;
  readonly authenticationTokenWebhookVersion: "v1" | "v1beta1";
  readonly authenticationTokenWebhookCacheTtl: string;
  readonly oidcCaFile?: string | undefined;
  readonly oidcSigningAlgs: readonly string[];
}

/** Upstream's flags, under upstream's names. */
export function addAuthenticationFlags(command: Command): Command {
  return command
    .option("--anonymous-auth <bool>", "whether requests without credentials are system:anonymous; true", parseBoolean)
    .option("--enable-bootstrap-token-auth", "bootstrap tokens log in, as new nodes do", false)
    .option("--token-auth-file <path>", "tokens and whose they are, in CSV: token,user,uid,groups")
    .option("--authentication-config <path>", "an AuthenticationConfiguration: issuers of JSON web tokens; followed")
    .option("--authentication-token-webhook-config-file <path>", "a kubeconfig of who is asked about tokens")
    .addOption(
      new Option("--authentication-token-webhook-version <version>", "of the TokenReview that it is sent")
        .choices(["v1", "v1beta1"])
        .default("v1beta1"),
    )
    .option("--authentication-token-webhook-cache-ttl <duration>", "how long its answers count", "2m")
    .option("--oidc-issuer-url <url>", "the issuer of JSON web tokens")
    .option("--oidc-client-id <id>", "the audience that they need")
    .option("--oidc-ca-file <path>", "the authority of the issuer; absent: the public ones")
    .option("--oidc-username-claim <claim>", "the claim that is the user's name", "sub")
    .option("--oidc-username-prefix <prefix>", "stands before it; - is none; absent: the issuer and #")
    .option("--oidc-groups-claim <claim>", "the claim that is the user's groups")
    .option("--oidc-groups-prefix <prefix>", "stands before each of them")
    .option("--oidc-required-claim <claim=value...>", "what else the token must say")
    .option("--oidc-signing-algs <names>", "with which it may be signed, separated by commas", parseNames, ["RS256"]);
}

export interface GivenAuthentication {
  readonly authentication: AuthenticationOptions;
  readonly tokens: ReadonlyMap<string, UserInfo> | undefined;
  /** Follow the files that were given. */
  readonly parts: readonly Component[];
}

/** What the flags ask for. Rejects with ConfigurationError or KubeconfigError, which say what is wrong and where. */
export async function authenticationOf(flags: AuthenticationFlags, logger: Logger): Promise<GivenAuthentication> {
  const { anonymousAuth, authenticationConfig, tokenAuthFile } = flags;
  const file =
    authenticationConfig === undefined ? undefined : await authenticationFile(authenticationConfig, { logger });
  if (file?.anonymous !== undefined && anonymousAuth !== undefined) {
    throw new ConfigurationError(
      "--anonymous-auth flag cannot be set when anonymous field is configured in authentication configuration file",
    );
  }
  const oidc = await oidcOf(flags);
  if (file !== undefined && oidc !== undefined) {
    throw new ConfigurationError("authentication-config file and oidc-* flags are mutually exclusive");
  }
  const webhook = await webhookOf(flags);
  const warn = (message: string): void => logger.warn(message, { path: tokenAuthFile });
  return {
    authentication: {
      bootstrapTokens: flags.enableBootstrapTokenAuth,
      anonymous: file?.anonymous ?? { enabled: anonymousAuth ?? true },
      tokenAuthenticators: (context) =>
        [file?.tokenAuthenticators, oidc, webhook].flatMap((made) => made?.(context) ?? []),
    },
    tokens: tokenAuthFile === undefined ? undefined : parseTokenFile(await readFile(tokenAuthFile, "utf8"), warn),
    parts: file === undefined ? [] : [file.component],
  };
}

type Make = NonNullable<AuthenticationOptions["tokenAuthenticators"]>;

async function oidcOf(flags: AuthenticationFlags): Promise<Make | undefined> {
  const { oidcIssuerUrl, oidcClientId, oidcCaFile, oidcSigningAlgs: signingAlgorithms } = flags;
  const others = [oidcCaFile, flags.oidcUsernamePrefix, flags.oidcGroupsClaim, flags.oidcGroupsPrefix];
  const all = [oidcIssuerUrl, oidcClientId, ...others, flags.oidcRequiredClaim];
  if (all.every((flag) => flag === undefined)) return undefined;
  for (const name of signingAlgorithms) {
    if (!jwtSigningAlgorithms.includes(name)) {
      throw new ConfigurationError(`oidc: unsupported signing alg: ${JSON.stringify(name)}`);
    }
  }
  const authority = oidcCaFile === undefined ? undefined : await readFile(oidcCaFile, "utf8");
  const { jwt } = compileAuthentication({ jwt: [jwtOfFlags(flags, authority)] }, [defaultIssuer]);
  return ({ audiences, clock }) =>
    jwt.map((compiled) => forAudiences(audiences, jwtAuthenticator(compiled, { clock, signingAlgorithms })));
}

async function webhookOf(flags: AuthenticationFlags): Promise<Make | undefined> {
  const { authenticationTokenWebhookConfigFile: path, authenticationTokenWebhookVersion: version } = flags;
  if (path === undefined) return undefined;
  const connection = await webhookConnection(path);
  const cacheMs = parseDurationMs(flags.authenticationTokenWebhookCacheTtl);
  return ({ audiences, clock, random }) => {
    const post = webhookClient(connection, { clock, random, timeoutMs: 30_000 });
    return [webhookTokenAuthenticator({ post, version, cacheMs, audiences, clock })];
  };
}
