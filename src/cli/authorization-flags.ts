import { resolve } from "node:path";
import { type Command, Option } from "commander";
import { ConfigurationError } from "../api/configuration-shape.js";
import {
  type AuthorizationConfiguration,
  type AuthorizerConfiguration,
  authorizerTypes,
} from "../apiserver/authz/configuration.js";
import { authorizationFile, configuredAuthorizers } from "../apiserver/authz/configured.js";
import type { SecuredApiServerOptions } from "../apiserver/index.js";
import { webhookConnection } from "../cluster/webhook-connection.js";
import type { Component } from "../internal/component.js";
import type { Logger } from "../internal/logger.js";
import { parseNames } from "./up-options.js";

export interface AuthorizationFlags {
  readonly authorizationMode?: readonly string[] | undefined;
  readonly authorizationConfig?: string | undefined;
  readonly authorizationWebhookConfigFile?: string | undefined;
  readonly authorizationWebhookVersion: "v1" | "v1beta1";
  readonly authorizationWebhookCacheAuthorizedTtl: string;
  readonly authorizationWebhookCacheUnauthorizedTtl: string;
}

/** Upstream's flags, under upstream's names. */
export function addAuthorizationFlags(command: Command): Command {
  return command
    .option(
      "--authorization-mode <names>",
      `who decides, in order: ${authorizerTypes.join(", ")}; Node,RBAC`,
      parseNames,
    )
    .option("--authorization-config <path>", "an AuthorizationConfiguration in its place; followed")
    .option("--authorization-webhook-config-file <path>", "a kubeconfig of who is asked in the mode Webhook")
    .addOption(
      new Option("--authorization-webhook-version <version>", "of the SubjectAccessReview that it is sent")
        .choices(["v1", "v1beta1"])
        .default("v1beta1"),
    )
    .option("--authorization-webhook-cache-authorized-ttl <duration>", "how long that it allows counts", "5m")
    .option("--authorization-webhook-cache-unauthorized-ttl <duration>", "how long that it does not counts", "30s");
}

export interface GivenAuthorization {
  readonly authorizers: SecuredApiServerOptions["authorizers"];
  /** Whether everybody may do everything, so that nobody may be let in unknown. */
  readonly alwaysAllows: boolean;
  /** Follow the file that was given. */
  readonly parts: readonly Component[];
}

/** What the flags ask for. Rejects with ConfigurationError or KubeconfigError, which say what is wrong and where. */
export async function authorizationOf(flags: AuthorizationFlags, logger: Logger): Promise<GivenAuthorization> {
  const { authorizationMode: modes, authorizationConfig: path, authorizationWebhookConfigFile: webhook } = flags;
  const connect = webhookConnection;
  if (path !== undefined) {
    if (modes !== undefined || webhook !== undefined) {
      throw new ConfigurationError(
        "--authorization-config can not be specified when --authorization-mode or --authorization-webhook-* flags are specified",
      );
    }
    const { authorizers, component, configuration } = await authorizationFile(path, { connect, logger });
    return { authorizers, alwaysAllows: allows(configuration), parts: [component] };
  }
  const configuration = { authorizers: modesOf(modes ?? ["Node", "RBAC"], flags) };
  const authorizers = await configuredAuthorizers(configuration, connect);
  return { authorizers, alwaysAllows: allows(configuration), parts: [] };
}

function allows({ authorizers }: AuthorizationConfiguration): boolean {
  return authorizers.some(({ type }) => type === "AlwaysAllow");
}

function modesOf(modes: readonly string[], flags: AuthorizationFlags): readonly AuthorizerConfiguration[] {
  const { authorizationWebhookConfigFile: path } = flags;
  const known: readonly string[] = authorizerTypes;
  for (const [index, mode] of modes.entries()) {
    const quoted = JSON.stringify(mode);
    if (mode === "ABAC") throw new ConfigurationError(`authorization-mode ${quoted} is not supported`);
    if (!known.includes(mode)) throw new ConfigurationError(`authorization-mode ${quoted} is not a valid mode`);
    if (modes.indexOf(mode) < index) {
      throw new ConfigurationError(`authorization-mode ${quoted} has mode specified more than once`);
    }
  }
  if (modes.includes("Webhook") !== (path !== undefined)) {
    throw new ConfigurationError(
      path === undefined
        ? "authorization-mode Webhook's authorization config file not passed"
        : "cannot specify --authorization-webhook-config-file without mode Webhook",
    );
  }
  return authorizerTypes
    .filter((type) => modes.includes(type))
    .toSorted((a, b) => modes.indexOf(a) - modes.indexOf(b))
    .map((type) => ({
      type,
      name: type.toLowerCase(),
      ...(type !== "Webhook" || path === undefined ? {} : { webhook: webhookOf(flags, path) }),
    }));
}

function webhookOf(flags: AuthorizationFlags, path: string): NonNullable<AuthorizerConfiguration["webhook"]> {
  return {
    timeout: "30s",
    authorizedTTL: flags.authorizationWebhookCacheAuthorizedTtl,
    unauthorizedTTL: flags.authorizationWebhookCacheUnauthorizedTtl,
    subjectAccessReviewVersion: flags.authorizationWebhookVersion,
    failurePolicy: "NoOpinion",
    connectionInfo: { type: "KubeConfigFile", kubeConfigFile: resolve(path) },
  };
}
