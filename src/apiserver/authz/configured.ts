import { readFile } from "node:fs/promises";
import { ConfigurationError } from "../../api/configuration-shape.js";
import { parseDurationMs } from "../../api/duration.js";
import { type Clock, realClock } from "../../internal/clock.js";
import type { Component } from "../../internal/component.js";
import { type Logger, silentLogger } from "../../internal/logger.js";
import { countedAuthorizer } from "../auth-metrics.js";
import { type WebhookConnection, webhookClient } from "../outbound/webhook.js";
import { reloadingFile } from "../reloading-file.js";
import { alwaysAllow, alwaysDeny } from "./always.js";
import { unionAuthorizer } from "./attributes.js";
import type { Authorizer } from "./authorizer.js";
import {
  type AuthorizationConfiguration,
  type CompiledAuthorization,
  compileAuthorization,
  readAuthorizationConfiguration,
  type WebhookConfiguration,
} from "./configuration.js";
import type { AuthorizationContext } from "./default-authorizer.js";
import { webhookAuthorizer } from "./webhook.js";

/** Reads a kubeconfig: where a webhook is. */
export type Connect = (kubeconfigPath: string) => Promise<WebhookConnection>;

type Connected = readonly (WebhookConnection | undefined)[];

/**
 * What a server's option `authorizers` wants, of a configuration. Rejects with ConfigurationError, which says everything that is wrong, and
 * with what `connect` rejects with.
 */
export async function configuredAuthorizers(
  configuration: AuthorizationConfiguration,
  connect: Connect,
): Promise<(context: AuthorizationContext) => Authorizer> {
  const compiled = compileAuthorization(configuration);
  const connections = await connectAll(compiled, connect);
  return (context) => chain(compiled, connections, context);
}

export interface AuthorizationFileOptions {
  readonly connect: Connect;
  readonly intervalMs?: number | undefined;
  readonly clock?: Clock | undefined;
  readonly logger?: Logger | undefined;
}

/** An AuthorizationConfiguration in force. */
export interface AuthorizationFile {
  readonly authorizers: (context: AuthorizationContext) => Authorizer;
  /** What it was made of when it was first read. */
  readonly configuration: AuthorizationConfiguration;
  /** Follows the file as long as it runs. */
  readonly component: Component;
}

/** Reads an AuthorizationConfiguration and follows it. Rejects as configuredAuthorizers. */
export async function authorizationFile(path: string, options: AuthorizationFileOptions): Promise<AuthorizationFile> {
  const { connect, clock = realClock, logger = silentLogger, intervalMs } = options;
  const text = await readFile(path, "utf8").catch((cause: unknown) => {
    throw new ConfigurationError(`cannot read ${path}`, { cause });
  });
  const configuration = readAuthorizationConfiguration(text);
  let current = await configuredAuthorizers(configuration, connect);
  const followers: ((next: typeof current) => void)[] = [];
  const component = reloadingFile({
    name: "authorization-config",
    path,
    text,
    async apply(changed) {
      const next = readAuthorizationConfiguration(changed);
      requireSame(configuration, next);
      current = await configuredAuthorizers(next, connect);
      for (const follow of followers) follow(current);
    },
    clock,
    logger,
    intervalMs,
  });
  return {
    configuration,
    component,
    authorizers(context) {
      let made = current(context);
      followers.push((next) => {
        made = next(context);
      });
      const unable = { rules: [], errors: [] };
      return {
        name: "configured",
        authorize: (asked) => made.authorize(asked),
        rulesFor: (user, namespace) => made.rulesFor?.(user, namespace) ?? unable,
      };
    },
  };
}

/** As upstream: webhooks come and go, but what else decides is what it was at the start, in whatever order. */
function requireSame(first: AuthorizationConfiguration, next: AuthorizationConfiguration): void {
  const typesOf = ({ authorizers }: AuthorizationConfiguration): string =>
    authorizers
      .map(({ type }) => type)
      .filter((type) => type !== "Webhook")
      .sort()
      .join(", ");
  const [wanted, got] = [typesOf(first), typesOf(next)];
  if (wanted === got) return;
  throw new ConfigurationError(`authorizers: the types other than Webhook must stay [${wanted}], not become [${got}]`);
}

function connectAll({ authorizers }: CompiledAuthorization, connect: Connect): Promise<Connected> {
  return Promise.all(
    authorizers.map(async ({ webhook }) =>
      webhook === undefined ? undefined : await connect(webhook.connectionInfo.kubeConfigFile),
    ),
  );
}

function chain(compiled: CompiledAuthorization, connections: Connected, context: AuthorizationContext): Authorizer {
  const byType = { AlwaysAllow: alwaysAllow, AlwaysDeny: alwaysDeny, Node: context.node, RBAC: context.rbac };
  return unionAuthorizer(
    compiled.authorizers.map((authorizer, index) => {
      const { type, name, webhook, conditions } = authorizer;
      if (type !== "Webhook") return countedAuthorizer(authorizer, byType[type], context.metrics);
      const connection = connections[index];
      if (webhook === undefined || connection === undefined) throw new Error(`${name} has no webhook`);
      const made = webhookAuthorizer({
        ...timesOf(webhook),
        name,
        post: webhookClient(connection, { ...context, timeoutMs: parseDurationMs(webhook.timeout) }),
        version: webhook.subjectAccessReviewVersion,
        failurePolicy: webhook.failurePolicy,
        conditions: { expressions: compiled.expressions, compiled: conditions },
        metrics: context.metrics,
        clock: context.clock,
      });
      return countedAuthorizer(authorizer, made, context.metrics);
    }),
  );
}

function timesOf(webhook: WebhookConfiguration): { readonly authorizedMs: number; readonly unauthorizedMs: number } {
  const { authorizedTTL = "5m", unauthorizedTTL = "30s" } = webhook;
  const { cacheAuthorizedRequests = true, cacheUnauthorizedRequests = true } = webhook;
  return {
    authorizedMs: cacheAuthorizedRequests ? parseDurationMs(authorizedTTL) : 0,
    unauthorizedMs: cacheUnauthorizedRequests ? parseDurationMs(unauthorizedTTL) : 0,
  };
}
