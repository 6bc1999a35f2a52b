import { type CompiledExpression, PolicyCompiler } from "../../api/admission-cel/compiler.js";
import type { AdmissionEnvironments } from "../../api/admission-cel/environments.js";
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
import { isJsonObject, jsonEqual } from "../../api/json-value.js";
import { PatchError } from "../../api/patch/patch-error.js";
import type { Clock } from "../../internal/clock.js";
import type { Logger } from "../../internal/logger.js";
import type { Random } from "../../internal/random.js";
import { uuid } from "../../internal/uuid.js";
import type { AdmissionPlugin, AdmissionRequest } from "./admission.js";
import { AccessAnswers, costLimits, Evaluation } from "./policies/evaluation.js";
import { type RequestView, requestRecord, viewOf } from "./policies/inputs.js";
import { conditionsMatch } from "./policies/match-conditions.js";
import type { PolicyDeps } from "./policies/policy-deps.js";
import { Reinvocation } from "./reinvocation.js";
import { RuleIndex } from "./rule-index.js";
import { type MatchCriteria, type MatchDeps, type MatchedResource, matchCriteria, matchRequest } from "./rule-match.js";
import { annotateFor, failedOpenKey, type MutationRecord, mutationRecord } from "./webhook-annotations.js";

type Webhook = NonNullable<ValidatingWebhookConfiguration["webhooks"]>[number];

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

export interface WebhookDeps extends MatchDeps {
  readonly clock: Clock;
  readonly random: Random;
  /** Told of calls that failed and that the webhook's policy says to ignore. */
  readonly logger?: Logger | undefined;
  readonly call: CallWebhook;
  /** What match conditions are compiled in. */
  readonly environments: PolicyDeps["environments"];
  /** Whom match conditions ask. Absent: everything is allowed. */
  readonly authorizer?: PolicyDeps["authorizer"];
  /** Objects as another resource shows them that shares them; absent: all resources show them alike. */
  readonly convert?: PolicyDeps["convert"] | undefined;
}

export interface MutatingWebhookDeps extends WebhookDeps {
  /** Applies a JSON Patch (RFC 6902) and gives the patched object. Throws for one that does not apply. */
  readonly applyPatch: (object: JsonObject, patch: unknown) => JsonObject;
  /** Brings a patched object to the server's form again: defaults. Absent: it is taken as it is. */
  readonly settle?: (request: AdmissionRequest, object: JsonObject) => JsonObject;
}

const mutatingName = "MutatingAdmissionWebhook";

/** Webhooks that may change what is written. Those that say `IfNeeded` are asked again when something else changed after them. */
export function mutatingWebhooks(deps: MutatingWebhookDeps): AdmissionPlugin {
  const configured = configurations(deps, "mutating");
  return {
    name: mutatingName,
    handles: (request) => !isOwn(request) && configured(request).length > 0,
    async admit(request) {
      let object = request.object ?? {};
      const calls = await called(configured(request), request, deps);
      if (calls.length === 0) return object;
      const invoked = (request.reinvocation ?? new Reinvocation()).of(mutatingName);
      invoked.begin(object);
      for (const call of calls) {
        if (!invoked.wants(call.configured.key)) continue;
        const record = mutationRecord(call.configured, request);
        const next = await recorded(record, object, () =>
          mutate(deps, call, { ...request, object: request.object === undefined ? undefined : object }, record),
        );
        if (next !== undefined && !jsonEqual(next, object)) {
          object = next;
          invoked.changed();
        }
        if (call.configured.reinvoke) invoked.willing(call.configured.key);
      }
      invoked.end(object);
      return object;
    },
  };
}

/** Says in the audit event whether the webhook changed the object, also where it failed. */
async function recorded(
  record: MutationRecord,
  object: JsonObject,
  call: () => Promise<JsonObject | undefined>,
): Promise<JsonObject | undefined> {
  let next: JsonObject | undefined;
  try {
    next = await call();
    return next;
  } finally {
    record.mutated(next !== undefined && !jsonEqual(next, object));
  }
}

/** Gives the object as the webhook changed it; undefined where it changed nothing. */
async function mutate(
  deps: MutatingWebhookDeps,
  call: Call,
  request: AdmissionRequest,
  record: MutationRecord,
): Promise<JsonObject | undefined> {
  const { webhook } = call.configured;
  const seen = await seenAs(request, call.matched, deps);
  if (!(await conditionsHold(deps, call.configured, seen))) return undefined;
  const patch = await ask(deps, webhook, seen, record.failedOpen);
  const { object } = seen.view;
  if (patch === undefined || request.object === undefined || object === undefined) return undefined;
  const patched = patchedBy(webhook, () => deps.applyPatch(object, patch));
  record.patched(patch);
  const own = seen.view.object === request.object;
  const back = own || deps.convert === undefined ? patched : await deps.convert(patched, call.matched, request);
  return deps.settle?.(request, back) ?? back;
}

/** Webhooks that say yes or no, all asked at once. */
export function validatingWebhooks(deps: WebhookDeps): AdmissionPlugin {
  const configured = configurations(deps, "validating");
  return {
    name: "ValidatingAdmissionWebhook",
    handles: (request) => !isOwn(request) && configured(request).length > 0,
    async validate(request) {
      const seen: { readonly configured: Configured; readonly seen: Seen }[] = [];
      for (const call of await called(configured(request), request, deps)) {
        const as = await seenAs(request, call.matched, deps);
        if (await conditionsHold(deps, call.configured, as)) seen.push({ configured: call.configured, seen: as });
      }
      const asked = seen.map(({ configured: { webhook }, seen }, index) =>
        ask(deps, webhook, seen, () => request.annotate?.(failedOpenKey("validating", 0, index), webhook.name)),
      );
      const results = await Promise.allSettled(asked);
      for (const result of results) if (result.status === "rejected") throw result.reason;
    },
  };
}

interface Call {
  readonly configured: Configured;
  readonly matched: MatchedResource;
}

async function called(
  all: readonly Configured[],
  request: AdmissionRequest,
  deps: MatchDeps,
): Promise<readonly Call[]> {
  const calls: Call[] = [];
  for (const configured of all) {
    const matched = await matchRequest(configured.criteria, request, deps);
    if (matched !== undefined) calls.push({ configured, matched });
  }
  return calls;
}

/** A request as the webhook asked to see it. */
interface Seen {
  readonly request: AdmissionRequest;
  readonly view: RequestView;
}

async function seenAs(request: AdmissionRequest, matched: MatchedResource, { convert }: WebhookDeps): Promise<Seen> {
  const view = await viewOf(request, matched, convert ?? (async (object) => object));
  return { request, view };
}

/** Whether the webhook's own conditions hold. Throws 403 where they cannot be judged. */
async function conditionsHold(deps: WebhookDeps, configured: Configured, { request, view }: Seen): Promise<boolean> {
  const { webhook } = configured;
  if ((webhook.matchConditions ?? []).length === 0) return true;
  const { environments, conditions } = configured.conditions();
  const answers = new AccessAnswers(deps.authorizer, environments.meter);
  const inputs = await view.inputs(environments, { answers, namespace: undefined });
  const budget = costLimits.matchConditions;
  const evaluation = new Evaluation(inputs, { meter: environments.meter, answers, variables: [], budget });
  const outcome = await conditionsMatch(conditions, evaluation, webhook.failurePolicy);
  if (outcome.error === undefined) return outcome.matches;
  throw statusErrors.forbidden(request, request.name, outcome.error);
}

const reviewVersion = "admission.k8s.io/v1";

interface Configured {
  /** Of the webhook, among all. */
  readonly key: string;
  readonly configuration: string;
  /** Its place among all webhooks, by which audit events name it. */
  readonly index: number;
  readonly webhook: Webhook;
  readonly reinvoke: boolean;
  readonly criteria: MatchCriteria;
  /** Compiled when the webhook first matches. */
  readonly conditions: () => {
    readonly environments: AdmissionEnvironments;
    readonly conditions: readonly CompiledExpression[];
  };
}

/** Those that may be about a request, in order of the configurations' names, then as written; read again only when one changed. */
function configurations(
  deps: WebhookDeps,
  type: "mutating" | "validating",
): (request: AdmissionRequest) => readonly Configured[] {
  const { cache } = deps;
  const resource: ResourceType<MutatingWebhookConfiguration | ValidatingWebhookConfiguration> =
    type === "mutating" ? mutatingWebhookConfigurations : validatingWebhookConfigurations;
  let generation = Number.NaN;
  let known: RuleIndex<Configured> | undefined;
  return (request) => {
    const now = cache.generation(resource);
    if (now === generation && known !== undefined) return known.candidates(request, deps);
    generation = now;
    const byName = [...cache.list(resource)].sort((left, right) =>
      (left.metadata.name ?? "") < (right.metadata.name ?? "") ? -1 : 1,
    );
    const configured = byName.flatMap((configuration) =>
      (configuration.webhooks ?? []).map((webhook, index) => ({
        key: `${configuration.metadata.name}/${index}/${webhook.name}`,
        configuration: configuration.metadata.name ?? "",
        webhook,
        reinvoke: "reinvocationPolicy" in webhook && webhook.reinvocationPolicy === "IfNeeded",
        criteria: matchCriteria(webhook),
        conditions: compiledOnce(webhook, deps.environments),
      })),
    );
    const all = configured.map((each, index) => ({ ...each, index }));
    known = new RuleIndex(all, ({ criteria }) => criteria);
    return known.candidates(request, deps);
  };
}

function compiledOnce(webhook: Webhook, environmentsOf: WebhookDeps["environments"]): Configured["conditions"] {
  let compiled: ReturnType<Configured["conditions"]> | undefined;
  return () => {
    if (compiled === undefined) {
      const environments = environmentsOf();
      const compiler = new PolicyCompiler(environments, { params: false });
      const conditions = (webhook.matchConditions ?? []).map(({ expression }) =>
        compiler.compile(expression, { authorizer: true, returns: ["bool"] }),
      );
      compiled = { environments, conditions };
    }
    return compiled;
  };
}

const ownGroup = "admissionregistration.k8s.io";

/** No webhook is asked about what configures admission: nobody could mend it. */
function isOwn({ group }: AdmissionRequest): boolean {
  return group === ownGroup;
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
async function ask(deps: WebhookDeps, webhook: Webhook, seen: Seen, failedOpen: () => void): Promise<unknown> {
  const { request } = seen;
  if (request.dryRun && webhook.sideEffects !== "None" && webhook.sideEffects !== "NoneOnDryRun") {
    throw statusErrors.badRequest(`admission webhook ${JSON.stringify(webhook.name)} does not support dry run`);
  }
  const uid = uuid(deps.random);
  const abort = new AbortController();
  const seconds = webhook.timeoutSeconds ?? 10;
  const timer = deps.clock.setTimeout(() => abort.abort(new Error("context deadline exceeded")), seconds * 1000);
  try {
    const answer = await answered(deps.call(webhook.clientConfig, reviewOf(uid, seen), abort.signal, seconds));
    return verdict(webhook, uid, answer, request);
  } catch (error) {
    if (error instanceof StatusError) throw error;
    const message = error instanceof Error ? error.message : String(error);
    if (webhook.failurePolicy === "Ignore") {
      deps.logger?.warn("failed calling a webhook, failing open", { webhook: webhook.name, error });
      failedOpen();
      return undefined;
    }
    throw statusErrors.internal(`failed calling webhook ${JSON.stringify(webhook.name)}: ${message}`, { cause: error });
  } finally {
    timer.cancel();
  }
}

async function answered(answer: Promise<unknown>): Promise<unknown> {
  try {
    return await answer;
  } catch (cause) {
    throw new Error(`failed to call webhook: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

function reviewOf(uid: string, { request, view }: Seen): object {
  return {
    kind: "AdmissionReview",
    apiVersion: reviewVersion,
    request: {
      uid,
      ...requestRecord(request, view.matched),
      object: view.object ?? null,
      oldObject: view.oldObject ?? null,
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
  readonly auditAnnotations?: unknown;
}

function verdict(webhook: Webhook, uid: string, answer: unknown, request: AdmissionRequest): unknown {
  const response = responseIn(answer);
  if (response.uid !== uid)
    throw invalid(`expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(response.uid ?? "")}`);
  if (Array.isArray(response.warnings)) {
    for (const warning of response.warnings) if (typeof warning === "string") request.warn(warning);
  }
  annotateFor(webhook, response.auditAnnotations, request);
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
