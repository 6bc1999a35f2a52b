import {
  type JsonObject,
  mutatingWebhookConfigurations,
  StatusError,
  statusErrors,
  validatingWebhookConfigurations,
} from "../../api/index.js";
import type { Clock } from "../../internal/clock.js";
import type { Random } from "../../internal/random.js";
import { uuid } from "../../internal/uuid.js";
import type { AdmissionPlugin, AdmissionRequest, CacheReader } from "./admission.js";
import { type Webhook, webhookMatches } from "./webhook-match.js";

/** POSTs an AdmissionReview to a webhook and gives what it answered, parsed. Rejects when it cannot be reached or is no JSON. */
export type CallWebhook = (webhook: Webhook["clientConfig"], review: object, signal: AbortSignal) => Promise<unknown>;

export interface WebhookDeps {
  readonly cache: CacheReader;
  readonly clock: Clock;
  readonly random: Random;
  readonly call: CallWebhook;
  /** Applies a JSON Patch (RFC 6902) and gives the patched object. Throws for one that does not apply. */
  readonly applyPatch: (object: JsonObject, patch: unknown) => JsonObject;
  /** Brings a patched object to the server's form again: defaults. Absent: it is taken as it is. */
  readonly settle?: (request: AdmissionRequest, object: JsonObject) => JsonObject;
}

/** Webhooks that may change what is written. Those that say `IfNeeded` are asked again when a later one changed something. */
export function mutatingWebhooks(deps: WebhookDeps): AdmissionPlugin {
  return {
    name: "MutatingAdmissionWebhook",
    async admit(request) {
      const webhooks = configured(deps.cache, "mutating").filter(({ webhook }) =>
        webhookMatches(webhook, request, deps.cache),
      );
      let object = request.object ?? {};
      const changedAfter = new Set<Webhook>();
      const run = async (webhook: Webhook): Promise<void> => {
        const now = { ...request, object: request.object === undefined ? undefined : object };
        const patch = await ask(deps, webhook, now);
        if (patch === undefined || request.object === undefined) return;
        const patched = deps.applyPatch(object, patch);
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
  return {
    name: "ValidatingAdmissionWebhook",
    async validate(request) {
      const webhooks = configured(deps.cache, "validating").filter(({ webhook }) =>
        webhookMatches(webhook, request, deps.cache),
      );
      const results = await Promise.allSettled(webhooks.map(({ webhook }) => ask(deps, webhook, request)));
      for (const result of results) if (result.status === "rejected") throw result.reason;
    },
  };
}

interface Configured {
  readonly webhook: Webhook;
  readonly reinvoke: boolean;
}

/** In order of the configurations' names, then as written. */
function configured(cache: CacheReader, type: "mutating" | "validating"): readonly Configured[] {
  const configurations =
    type === "mutating" ? cache.list(mutatingWebhookConfigurations) : cache.list(validatingWebhookConfigurations);
  const byName = [...configurations].sort((left, right) =>
    (left.metadata.name ?? "") < (right.metadata.name ?? "") ? -1 : 1,
  );
  return byName.flatMap((configuration) =>
    (configuration.webhooks ?? []).map((webhook) => ({
      webhook,
      reinvoke: "reinvocationPolicy" in webhook && webhook.reinvocationPolicy === "IfNeeded",
    })),
  );
}

/** Asks one webhook. Gives its patch; throws its refusal, or, where it fails and its policy is Fail, 500. */
async function ask(deps: WebhookDeps, webhook: Webhook, request: AdmissionRequest): Promise<unknown> {
  if (request.dryRun && webhook.sideEffects !== "None" && webhook.sideEffects !== "NoneOnDryRun") {
    throw statusErrors.badRequest(`admission webhook ${JSON.stringify(webhook.name)} does not support dry run`);
  }
  const uid = uuid(deps.random);
  const abort = new AbortController();
  const seconds = webhook.timeoutSeconds ?? 10;
  const timer = deps.clock.setTimeout(() => abort.abort(new Error("context deadline exceeded")), seconds * 1000);
  try {
    const answer = await deps.call(webhook.clientConfig, reviewOf(uid, request), abort.signal);
    return verdict(webhook, uid, answer, request);
  } catch (error) {
    if (error instanceof StatusError) throw error;
    const message = error instanceof Error ? error.message : String(error);
    if (webhook.failurePolicy === "Ignore") {
      request.warn(`failed calling webhook ${JSON.stringify(webhook.name)}, failing open: ${message}`);
      return undefined;
    }
    throw statusErrors.internal(`failed calling webhook ${JSON.stringify(webhook.name)}: ${message}`, { cause: error });
  } finally {
    timer.cancel();
  }
}

function reviewOf(uid: string, request: AdmissionRequest): object {
  const { group, version, kind, resource, subresource, name, namespace, operation, user } = request;
  const requestKind = { group, version, kind };
  const requestResource = { group, version, resource };
  return {
    kind: "AdmissionReview",
    apiVersion: "admission.k8s.io/v1",
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

interface Response {
  readonly uid?: unknown;
  readonly allowed?: unknown;
  readonly status?: { readonly message?: string; readonly reason?: string; readonly code?: number };
  readonly patch?: unknown;
  readonly patchType?: unknown;
  readonly warnings?: unknown;
}

function verdict(webhook: Webhook, uid: string, answer: unknown, request: AdmissionRequest): unknown {
  const response = responseIn(answer);
  if (response === undefined) throw new Error("webhook response is missing");
  if (response.uid !== uid)
    throw new Error(`expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(response.uid)}`);
  if (Array.isArray(response.warnings)) {
    for (const warning of response.warnings) if (typeof warning === "string") request.warn(warning);
  }
  if (response.allowed !== true) throw refusalOf(webhook, response.status);
  if (response.patch === undefined || response.patch === null) return undefined;
  if (response.patchType !== "JSONPatch")
    throw new Error(`unsupported patch type ${JSON.stringify(response.patchType)}`);
  return JSON.parse(Buffer.from(String(response.patch), "base64").toString("utf8"));
}

function responseIn(answer: unknown): Response | undefined {
  if (typeof answer !== "object" || answer === null || !("response" in answer)) return undefined;
  const { response } = answer;
  return typeof response === "object" && response !== null ? response : undefined;
}

function refusalOf(webhook: Webhook, status: Response["status"]): StatusError {
  const name = JSON.stringify(webhook.name);
  const why = status?.message ?? status?.reason;
  const message =
    why === undefined || why === ""
      ? `admission webhook ${name} denied the request without explanation`
      : `admission webhook ${name} denied the request: ${why}`;
  const code = status?.code !== undefined && status.code >= 400 ? status.code : 403;
  return new StatusError({
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    message,
    reason: (status?.reason ?? "Forbidden") as StatusError["status"]["reason"] & string,
    code,
  });
}
