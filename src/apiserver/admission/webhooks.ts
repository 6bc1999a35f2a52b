import {
  type JsonObject,
  type MutatingWebhookConfiguration,
  mutatingWebhookConfigurations,
  type ResourceType,
  StatusError,
  statusErrors,
  type ValidatingWebhookConfiguration,
  validatingWebhookConfigurations,
} from "../../api/index.js";
import { isJsonObject } from "../../api/json-value.js";
import { PatchError } from "../../api/patch/patch-error.js";
import type { Clock } from "../../internal/clock.js";
import type { Logger } from "../../internal/logger.js";
import type { Random } from "../../internal/random.js";
import { uuid } from "../../internal/uuid.js";
import type { AdmissionPlugin, AdmissionRequest, CacheReader } from "./admission.js";
import { type Webhook, webhookMatches } from "./webhook-match.js";

/**
 * POSTs a review to a webhook and gives what it answered, parsed. Rejects when it cannot be reached or is no JSON. What the webhook is
 * told of the time that it has is `timeoutSeconds`; that it ends is for `signal`.
 */
export type CallWebhook = (
  webhook: Webhook["clientConfig"],
  review: object,
  signal: AbortSignal,
  timeoutSeconds?: number,
) => Promise<unknown>;

export interface WebhookDeps {
  readonly cache: CacheReader;
  readonly clock: Clock;
  readonly random: Random;
  /** Told of calls that failed and that the webhook's policy says to ignore. */
  readonly logger?: Logger | undefined;
  readonly call: CallWebhook;
}

export interface MutatingWebhookDeps extends WebhookDeps {
  /** Applies a JSON Patch (RFC 6902) and gives the patched object. Throws for one that does not apply. */
  readonly applyPatch: (object: JsonObject, patch: unknown) => JsonObject;
  /** Brings a patched object to the server's form again: defaults. Absent: it is taken as it is. */
  readonly settle?: (request: AdmissionRequest, object: JsonObject) => JsonObject;
}

/** Webhooks that may change what is written. Those that say `IfNeeded` are asked again when a later one changed something. */
export function mutatingWebhooks(deps: MutatingWebhookDeps): AdmissionPlugin {
  const configured = configurations(deps.cache, "mutating");
  return {
    name: "MutatingAdmissionWebhook",
    handles: () => configured().length > 0,
    async admit(request) {
      const webhooks = configured().filter(({ webhook }) => webhookMatches(webhook, request, deps.cache));
      let object = request.object ?? {};
      const changedAfter = new Set<Webhook>();
      const run = async (webhook: Webhook): Promise<void> => {
        const now = { ...request, object: request.object === undefined ? undefined : object };
        const patch = await ask(deps, webhook, now);
        if (patch === undefined || request.object === undefined) return;
        const patched = patchedBy(webhook, () => deps.applyPatch(object, patch));
        const next = deps.settle?.(request, patched) ?? patched;
        if (JSON.stringify(next) === JSON.stringify(object)) return;
        object = next;
        for (const other of webhooks) if (other.webhook !== webhook) changedAfter.add(other.webhook);
      };
      for (const { webhook } of webhooks) {
        await run(webhook);
        changedAfter.delete(webhook);
      }
      for (const { webhook, reinvoke } of webhooks) if (reinvoke && changedAfter.has(webhook)) await run(webhook);
      return object;
    },
  };
}

/** Webhooks that say yes or no, all asked at once. */
export function validatingWebhooks(deps: WebhookDeps): AdmissionPlugin {
  const configured = configurations(deps.cache, "validating");
  return {
    name: "ValidatingAdmissionWebhook",
    handles: () => configured().length > 0,
    async validate(request) {
      const webhooks = configured().filter(({ webhook }) => webhookMatches(webhook, request, deps.cache));
      const results = await Promise.allSettled(webhooks.map(({ webhook }) => ask(deps, webhook, request)));
      for (const result of results) if (result.status === "rejected") throw result.reason;
    },
  };
}

const reviewVersion = "admission.k8s.io/v1";

interface Configured {
  readonly webhook: Webhook;
  readonly reinvoke: boolean;
}

/** In order of the configurations' names, then as written; read again only when one changed. */
function configurations(cache: CacheReader, type: "mutating" | "validating"): () => readonly Configured[] {
  const resource: ResourceType<MutatingWebhookConfiguration | ValidatingWebhookConfiguration> =
    type === "mutating" ? mutatingWebhookConfigurations : validatingWebhookConfigurations;
  let generation = Number.NaN;
  let known: readonly Configured[] = [];
  return () => {
    const now = cache.generation(resource);
    if (now === generation) return known;
    generation = now;
    const byName = [...cache.list(resource)].sort((left, right) =>
      (left.metadata.name ?? "") < (right.metadata.name ?? "") ? -1 : 1,
    );
    known = byName.flatMap((configuration) =>
      (configuration.webhooks ?? []).map((webhook) => ({
        webhook,
        reinvoke: "reinvocationPolicy" in webhook && webhook.reinvocationPolicy === "IfNeeded",
      })),
    );
    return known;
  };
}

function patchedBy(webhook: Webhook, apply: () => JsonObject): JsonObject {
  try {
    return apply();
  } catch (cause) {
    if (!(cause instanceof PatchError)) throw cause;
    const message = `admission webhook ${JSON.stringify(webhook.name)} returned a patch that does not apply: ${cause.message}`;
    throw statusErrors.internal(message, { cause });
  }
}

/** Asks one webhook. Gives its patch; throws its refusal, or, where it fails and its policy is Fail, 500. */
async function ask(deps: WebhookDeps, webhook: Webhook, request: AdmissionRequest): Promise<unknown> {
  if (request.dryRun && webhook.sideEffects !== "None" && webhook.sideEffects !== "NoneOnDryRun") {
    throw statusErrors.badRequest(`admission webhook ${JSON.stringify(webhook.name)} does not support dry run`);
  }
  if ((webhook.matchConditions ?? []).length > 0) return unmatched(deps, webhook);
  const uid = uuid(deps.random);
  const abort = new AbortController();
  const seconds = webhook.timeoutSeconds ?? 10;
  const timer = deps.clock.setTimeout(() => abort.abort(new Error("context deadline exceeded")), seconds * 1000);
  try {
    const answer = await called(deps.call(webhook.clientConfig, reviewOf(uid, request), abort.signal, seconds));
    return verdict(webhook, uid, answer, request);
  } catch (error) {
    if (error instanceof StatusError) throw error;
    const message = error instanceof Error ? error.message : String(error);
    if (webhook.failurePolicy === "Ignore") {
      deps.logger?.warn("failed calling a webhook, failing open", { webhook: webhook.name, error });
      return undefined;
    }
    throw statusErrors.internal(`failed calling webhook ${JSON.stringify(webhook.name)}: ${message}`, { cause: error });
  } finally {
    timer.cancel();
  }
}

async function called(answer: Promise<unknown>): Promise<unknown> {
  try {
    return await answer;
  } catch (cause) {
    throw new Error(`failed to call webhook: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

/** Without CEL nobody can say whether its conditions hold: that counts as an error of theirs. */
function unmatched({ logger }: WebhookDeps, webhook: Webhook): undefined {
  const name = JSON.stringify(webhook.name);
  if (webhook.failurePolicy !== "Ignore") {
    throw statusErrors.internal(`webhook ${name} has matchConditions, which this server does not evaluate`);
  }
  logger?.warn("a webhook has matchConditions, which this server does not evaluate", { webhook: webhook.name });
  return undefined;
}

function reviewOf(uid: string, request: AdmissionRequest): object {
  const { group, version, kind, resource, subresource, name, namespace, operation, user } = request;
  const requestKind = { group, version, kind };
  const requestResource = { group, version, resource };
  return {
    kind: "AdmissionReview",
    apiVersion: reviewVersion,
    request: {
      uid,
      kind: requestKind,
      resource: requestResource,
      ...(subresource === "" ? {} : { subResource: subresource }),
      requestKind,
      requestResource,
      ...(subresource === "" ? {} : { requestSubResource: subresource }),
      name,
      ...(namespace === "" ? {} : { namespace }),
      operation,
      userInfo: { username: user.username, uid: user.uid, groups: user.groups, extra: user.extra },
      object: request.object ?? null,
      oldObject: request.oldObject ?? null,
      dryRun: request.dryRun,
      options: request.options,
    },
  };
}

type Refusal = Partial<StatusError["status"]>;

interface Response {
  readonly uid?: unknown;
  readonly allowed?: unknown;
  readonly status?: Refusal;
  readonly patch?: unknown;
  readonly patchType?: unknown;
  readonly warnings?: unknown;
}

function verdict(webhook: Webhook, uid: string, answer: unknown, request: AdmissionRequest): unknown {
  const response = responseIn(answer);
  if (response.uid !== uid)
    throw invalid(`expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(response.uid ?? "")}`);
  if (Array.isArray(response.warnings)) {
    for (const warning of response.warnings) if (typeof warning === "string") request.warn(warning);
  }
  if (response.allowed !== true) throw refusalOf(webhook, response.status);
  if (response.patch === undefined || response.patch === null) return undefined;
  if (response.patchType === undefined || response.patchType === null)
    throw invalid("webhook returned response.patch but not response.patchType");
  if (response.patchType !== "JSONPatch")
    throw invalid(`webhook returned invalid response.patchType of ${JSON.stringify(response.patchType)}`);
  return JSON.parse(Buffer.from(String(response.patch), "base64").toString("utf8"));
}

function responseIn(answer: unknown): Response {
  const review = isJsonObject(answer) ? answer : {};
  const { apiVersion = "", kind = "", response } = review;
  if (apiVersion !== reviewVersion || kind !== "AdmissionReview") {
    throw invalid(
      `expected webhook response of ${reviewVersion}, Kind=AdmissionReview, got ${apiVersion}, Kind=${kind}`,
    );
  }
  if (!isJsonObject(response)) throw invalid("webhook response was absent");
  return response;
}

function invalid(why: string): Error {
  return new Error(`received invalid webhook response: ${why}`);
}

/** In the webhook's own words. One that gives no code is a 400, and its reason is its own business too: as upstream. */
function refusalOf(webhook: Webhook, given: Refusal = {}): StatusError {
  const name = JSON.stringify(webhook.name);
  const why = given.message || given.reason;
  const message = why
    ? `admission webhook ${name} denied the request: ${why}`
    : `admission webhook ${name} denied the request without explanation`;
  const { reason, details, code = 0 } = given;
  return new StatusError({
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    message,
    ...(reason === undefined ? {} : { reason }),
    ...(details === undefined ? {} : { details }),
    code: Math.max(400, code),
  });
}
