import type { CompiledExpression } from "../../api/admission-cel/compiler.js";
import type { Clock } from "../../internal/clock.js";
import { ExpiringMap } from "../../internal/expiring-map.js";
import type { AuthMetrics } from "../auth-metrics.js";
import { type PostReview, WebhookError } from "../outbound/webhook.js";
import { accessReviewSpec } from "./access-review.js";
import type { AuthorizationAttributes, AuthorizationDecision, Authorizer } from "./authorizer.js";
import type { AuthorizationExpressions } from "./match-conditions.js";

export interface WebhookAuthorizerOptions {
  readonly name: string;
  readonly post: PostReview;
  /** Of the SubjectAccessReview that is sent and expected. */
  readonly version: "v1" | "v1beta1";
  /** How long that something is allowed counts; 0: not at all. */
  readonly authorizedMs: number;
  /** How long that it is not counts. */
  readonly unauthorizedMs: number;
  /** When the webhook cannot be asked: the request is refused, or others decide. */
  readonly failurePolicy: "Deny" | "NoOpinion";
  /** The webhook is asked only about what meets all of them. Absent: about everything. */
  readonly conditions?:
    | { readonly expressions: AuthorizationExpressions; readonly compiled: readonly CompiledExpression[] }
    | undefined;
  readonly metrics: AuthMetrics;
  readonly clock: Clock;
}

const cacheLimit = 8192;
/** What is longer is not kept: a stranger could fill the memory. */
const maxKeptLength = 10_000;

/** Authorization by a webhook: it is sent a SubjectAccessReview, as upstream's authorization webhooks are. */
export function webhookAuthorizer(options: WebhookAuthorizerOptions): Authorizer {
  return new WebhookAuthorizer(options);
}

interface ReviewStatus {
  readonly allowed: boolean;
  readonly denied: boolean;
  readonly reason: string;
}

class WebhookAuthorizer implements Authorizer {
  readonly name: string;
  readonly #options: WebhookAuthorizerOptions;
  readonly #cache: ExpiringMap<ReviewStatus>;

  constructor(options: WebhookAuthorizerOptions) {
    this.name = options.name;
    this.#options = options;
    this.#cache = new ExpiringMap(options.clock, cacheLimit);
  }

  readonly rulesFor: NonNullable<Authorizer["rulesFor"]> = () => ({
    rules: [],
    errors: ["webhook authorizer does not support user rule resolution"],
  });

  async authorize(asked: AuthorizationAttributes): Promise<AuthorizationDecision> {
    try {
      if (!(await this.#isMeant(asked))) return { decision: "noOpinion" };
      return decisionOf(await this.#review(asked));
    } catch (cause) {
      const error = cause instanceof Error ? cause : new Error(String(cause));
      return { decision: this.#options.failurePolicy === "Deny" ? "deny" : "noOpinion", error };
    }
  }

  /** Rejects when the conditions cannot tell. */
  async #isMeant(asked: AuthorizationAttributes): Promise<boolean> {
    const { conditions, metrics, clock, name } = this.#options;
    if (conditions === undefined || conditions.compiled.length === 0) return true;
    const startMs = clock.now();
    const outcome = await conditions.expressions.match(conditions.compiled, asked);
    metrics.conditionSeconds.observe((clock.now() - startMs) / 1000, [name, "Webhook"]);
    if (outcome.error !== undefined) {
      metrics.conditionErrors.add([name, "Webhook"]);
      throw new Error(`cel evaluation error: ${outcome.error}`);
    }
    if (!outcome.matches) metrics.conditionExclusions.add([name, "Webhook"]);
    return outcome.matches;
  }

  async #review(asked: AuthorizationAttributes): Promise<ReviewStatus> {
    const { version, authorizedMs, unauthorizedMs } = this.#options;
    const spec = accessReviewSpec(asked);
    const key = JSON.stringify(spec);
    const kept = this.#cache.get(key);
    if (kept !== undefined) return kept;
    const review = {
      kind: "SubjectAccessReview",
      apiVersion: `authorization.k8s.io/${version}`,
      metadata: { creationTimestamp: null },
      spec: version === "v1" ? spec : betaSpec(spec),
      status: { allowed: false },
    };
    const status = await this.#post(review);
    if (sizeOf(asked) < maxKeptLength) this.#cache.put(key, status, status.allowed ? authorizedMs : unauthorizedMs);
    return status;
  }

  async #post(review: object): Promise<ReviewStatus> {
    const { post, metrics, clock, name, failurePolicy } = this.#options;
    const startMs = clock.now();
    const note = (result: string): void => {
      metrics.webhookEvaluations.add([name, result]);
      metrics.webhookSeconds.observe((clock.now() - startMs) / 1000, [name, result]);
      if (result !== "success" && failurePolicy === "NoOpinion") metrics.webhookFailOpen.add([name, result]);
    };
    try {
      const status = statusOf(await post(review));
      note("success");
      return status;
    } catch (error) {
      note(error instanceof WebhookError && error.timedOut ? "timeout" : "error");
      throw error;
    }
  }
}

/** In v1beta1 the groups are called `group`. */
function betaSpec({ groups, ...spec }: ReturnType<typeof accessReviewSpec>): object {
  return groups === undefined ? spec : { ...spec, group: groups };
}

function decisionOf({ allowed, denied, reason }: ReviewStatus): AuthorizationDecision {
  if (allowed && denied) {
    const error = new Error("webhook subject access review returned both allow and deny response");
    return { decision: "deny", reason, error };
  }
  return { decision: denied ? "deny" : allowed ? "allow" : "noOpinion", reason };
}

/** Parses what came from outside. */
function statusOf(review: unknown): ReviewStatus {
  const { status } = Object(review) as { readonly status?: unknown };
  const { allowed = false, denied = false, reason = "" } = Object(status) as Partial<ReviewStatus>;
  const fits = typeof status === "object" && typeof allowed === "boolean" && typeof denied === "boolean";
  if (!fits || typeof reason !== "string") throw new WebhookError("the webhook's answer is no SubjectAccessReview");
  return { allowed, denied, reason };
}

/** Of what who asks could make long. */
function sizeOf(asked: AuthorizationAttributes): number {
  const { namespace, verb, group, version, resource, subresource, name, path, fieldSelector, labelSelector } = asked;
  const texts = [namespace, verb, group, version, resource, subresource, name, path, fieldSelector, labelSelector];
  return texts.reduce((length, text) => length + (text?.length ?? 0), 0);
}
