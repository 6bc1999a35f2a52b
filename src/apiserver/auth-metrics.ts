import type { Clock } from "../internal/clock.js";
import { exponentialBounds, Metrics } from "../internal/metrics.js";
import type { AuthenticatedUser, Authenticator } from "./authn/authenticator.js";
import type { AuthorizationDecision, Authorizer } from "./authz/authorizer.js";

const durations = exponentialBounds(0.001, 2, 15);
const webhookDurations = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const conditionDurations = [0.001, 0.005, 0.01, 0.025, 0.1, 0.2, 0.25];

type Counter = ReturnType<Metrics["counter"]>;
type Durations = ReturnType<Metrics["histogram"]>;

/** How requests are authenticated and authorized, under upstream's names. */
export class AuthMetrics {
  readonly #all = new Metrics();
  readonly authenticationAttempts: Counter = this.#all.counter(
    "authentication_attempts",
    "Attempts to authenticate, by their result.",
    ["result"],
  );
  readonly authenticationSeconds: Durations = this.#all.histogram(
    "authentication_duration_seconds",
    "How long authentication took, by its result.",
    durations,
    ["result"],
  );
  readonly authenticatedRequests: Counter = this.#all.counter(
    "authenticated_user_requests",
    "Authenticated requests, by kinds of user names.",
    ["username"],
  );
  readonly authorizationAttempts: Counter = this.#all.counter(
    "authorization_attempts_total",
    "Attempts to authorize, by their result.",
    ["result"],
  );
  readonly authorizationSeconds: Durations = this.#all.histogram(
    "authorization_duration_seconds",
    "How long authorization took, by its result.",
    durations,
    ["result"],
  );
  readonly decisions: Counter = this.#all.counter(
    "apiserver_authorization_decisions_total",
    "Terminal decisions of authorizers.",
    ["decision", "name", "type"],
  );
  readonly webhookEvaluations: Counter = this.#all.counter(
    "apiserver_authorization_webhook_evaluations_total",
    "Round-trips to authorization webhooks.",
    ["name", "result"],
  );
  readonly webhookSeconds: Durations = this.#all.histogram(
    "apiserver_authorization_webhook_duration_seconds",
    "How long round-trips to authorization webhooks took.",
    webhookDurations,
    ["name", "result"],
  );
  readonly webhookFailOpen: Counter = this.#all.counter(
    "apiserver_authorization_webhook_evaluations_fail_open_total",
    "Failures of authorization webhooks that left it to others.",
    ["name", "result"],
  );
  readonly conditionErrors: Counter = this.#all.counter(
    "apiserver_authorization_match_condition_evaluation_errors_total",
    "Errors of match conditions of authorization webhooks.",
    ["name", "type"],
  );
  readonly conditionExclusions: Counter = this.#all.counter(
    "apiserver_authorization_match_condition_exclusions_total",
    "Requests that match conditions kept from an authorization webhook.",
    ["name", "type"],
  );
  readonly conditionSeconds: Durations = this.#all.histogram(
    "apiserver_authorization_match_condition_evaluation_seconds",
    "How long match conditions of an authorization webhook took.",
    conditionDurations,
    ["name", "type"],
  );

  text(): string {
    const lines = this.#all.lines();
    return lines.length === 0 ? "" : `${lines.join("\n")}\n`;
  }
}

/** The same, with every request counted. */
export function measuredAuthenticator(authenticator: Authenticator, metrics: AuthMetrics, clock: Clock): Authenticator {
  const note = (startMs: number, found: AuthenticatedUser | undefined, result: string): void => {
    metrics.authenticationAttempts.add([result]);
    metrics.authenticationSeconds.observe((clock.now() - startMs) / 1000, [result]);
    if (found !== undefined) metrics.authenticatedRequests.add([shortUsername(found.user.username)]);
  };
  const done = (startMs: number, found: AuthenticatedUser | undefined): AuthenticatedUser | undefined => {
    note(startMs, found, found === undefined ? "failure" : "success");
    return found;
  };
  const failed = (startMs: number, error: unknown): never => {
    note(startMs, undefined, "error");
    throw error;
  };
  return {
    name: authenticator.name,
    authenticate(request) {
      const startMs = clock.now();
      try {
        const found = authenticator.authenticate(request);
        if (!(found instanceof Promise)) return done(startMs, found);
        return found.then(
          (user) => done(startMs, user),
          (error: unknown) => failed(startMs, error),
        );
      } catch (error) {
        return failed(startMs, error);
      }
    },
  };
}

/** Names of people and accounts are many: only those that every cluster has are told apart. */
function shortUsername(username: string): string {
  switch (username) {
    case "admin":
    case "client":
    case "kube_proxy":
    case "kubelet":
    case "system:serviceaccount:kube-system:default":
      return username;
    default:
      return username.includes("@") ? "email_id" : "other";
  }
}

const results = { allow: "allowed", deny: "denied", noOpinion: "no-opinion" } as const;

/** The same, with every request counted. */
export function measuredAuthorizer(authorizer: Authorizer, metrics: AuthMetrics, clock: Clock): Authorizer {
  const note = (startMs: number, decision: AuthorizationDecision): AuthorizationDecision => {
    const failed = decision.error !== undefined && decision.decision !== "allow";
    const result = failed ? "error" : results[decision.decision];
    metrics.authorizationAttempts.add([result]);
    metrics.authorizationSeconds.observe((clock.now() - startMs) / 1000, [result]);
    return decision;
  };
  return {
    ...rulesOf(authorizer),
    name: authorizer.name,
    authorize(attributes) {
      const startMs = clock.now();
      const decision = authorizer.authorize(attributes);
      return decision instanceof Promise ? decision.then((one) => note(startMs, one)) : note(startMs, decision);
    },
  };
}

/** The same as one of several, with what it decides counted: `type` and `name` are those of an AuthorizationConfiguration. */
export function countedAuthorizer(
  { type, name }: { readonly type: string; readonly name: string },
  authorizer: Authorizer,
  metrics: AuthMetrics,
): Authorizer {
  const note = (decision: AuthorizationDecision): AuthorizationDecision => {
    if (decision.decision !== "noOpinion") metrics.decisions.add([results[decision.decision], name, type]);
    return decision;
  };
  return {
    ...rulesOf(authorizer),
    name,
    authorize(attributes) {
      const decision = authorizer.authorize(attributes);
      return decision instanceof Promise ? decision.then(note) : note(decision);
    },
  };
}

function rulesOf({ rulesFor }: Authorizer): Pick<Authorizer, "rulesFor"> {
  return rulesFor === undefined ? {} : { rulesFor };
}
