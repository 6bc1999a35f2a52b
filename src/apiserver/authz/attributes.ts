import { type ApiRequest, type StatusError, statusErrors, type UserInfo } from "../../api/index.js";
import type { AuthorizationAttributes, AuthorizationDecision, Authorizer, ResolvedRules } from "./authorizer.js";

/**
 * What a request of the resource API asks to be authorized for. A list or watch by `metadata.name=X` counts as one of
 * the object X, and a namespace as within itself.
 */
export function attributesOf(request: ApiRequest, user: UserInfo): AuthorizationAttributes {
  const name = request.name ?? nameSelectedBy(request);
  const isNamespace = request.resource === "namespaces" && request.group === "";
  const namespace = isNamespace ? request.name : request.namespace;
  return {
    user,
    verb: request.verb,
    group: request.group,
    version: request.version,
    resource: request.resource,
    subresource: request.subresource ?? "",
    namespace: namespace ?? "",
    name: name ?? "",
    ...selectorsOf(request),
  };
}

const selecting: ReadonlySet<string> = new Set(["list", "watch", "deletecollection"]);

function selectorsOf({ verb, options }: ApiRequest): Pick<AuthorizationAttributes, "fieldSelector" | "labelSelector"> {
  if (options === undefined || !selecting.has(verb)) return {};
  const { fieldSelector, labelSelector } = options;
  return {
    ...(fieldSelector === undefined ? {} : { fieldSelector }),
    ...(labelSelector === undefined ? {} : { labelSelector }),
  };
}

function nameSelectedBy(request: ApiRequest): string | undefined {
  if (request.verb !== "list" && request.verb !== "watch") return undefined;
  const selector = request.options?.fieldSelector;
  if (selector === undefined || !selector.includes("metadata.name")) return undefined;
  for (const term of selector.split(",")) {
    const match = /^metadata\.name==?([A-Za-z0-9.:_-]+)$/.exec(term);
    if (match !== null) return match[1];
  }
  return undefined;
}

/** The message of a refusal, as upstream words it. */
export function forbiddenMessage(attributes: AuthorizationAttributes): string {
  const who = quote(attributes.user.username);
  if (attributes.path !== undefined) return `User ${who} cannot ${attributes.verb} path ${quote(attributes.path)}`;
  const resource = attributes.subresource ? `${attributes.resource}/${attributes.subresource}` : attributes.resource;
  const what = `User ${who} cannot ${attributes.verb} resource ${quote(resource ?? "")} in API group ${quote(attributes.group ?? "")}`;
  return attributes.namespace
    ? `${what} in the namespace ${quote(attributes.namespace)}`
    : `${what} at the cluster scope`;
}

export function forbiddenError(attributes: AuthorizationAttributes, reason?: string): StatusError {
  const message = sanitize(forbiddenMessage(attributes));
  return statusErrors.forbidden(
    { group: attributes.group ?? "", resource: attributes.resource ?? "" },
    attributes.name ?? "",
    reason === undefined || reason === "" ? message : `${message}: ${reason}`,
  );
}

/** Receives the annotations of a request's audit event. */
export type Annotate = (key: string, value: string) => void;

const decisionAnnotation = "authorization.k8s.io/decision";
const reasonAnnotation = "authorization.k8s.io/reason";

/** Says in the audit event of a request why it is let in, or is not. */
export function annotateDecision(annotate: Annotate | undefined, allowed: boolean, reason = ""): void {
  annotate?.(decisionAnnotation, allowed ? "allow" : "forbid");
  annotate?.(reasonAnnotation, reason);
}

/**
 * Throws the 403 unless `authorizer` allows, and 500 where it could not know. `annotate` is told why, where the decision is the one
 * about the request.
 */
export async function authorizeOrThrow(
  authorizer: Authorizer,
  attributes: AuthorizationAttributes,
  annotate?: Annotate,
): Promise<void> {
  const { decision, reason, error } = await authorizer.authorize(attributes);
  if (decision !== "allow" && error !== undefined) {
    annotate?.(reasonAnnotation, "internal error");
    throw statusErrors.internal(error.message, { cause: error });
  }
  annotateDecision(annotate, decision === "allow", reason);
  if (decision !== "allow") throw forbiddenError(attributes, reason);
}

/** Asks each in turn: the first that allows or denies decides. Reasons and errors of those without an opinion are kept. */
export function unionAuthorizer(authorizers: readonly Authorizer[]): Authorizer {
  const settle = async (
    attributes: AuthorizationAttributes,
    first: Promise<AuthorizationDecision>,
    from: number,
    passed: AuthorizationDecision[],
  ): Promise<AuthorizationDecision> => {
    let decision = await first;
    for (let at = from; ; at++) {
      if (decision.decision !== "noOpinion") return decision;
      passed.push(decision);
      const next = authorizers[at];
      if (next === undefined) return noOpinion(passed);
      decision = await next.authorize(attributes);
    }
  };
  return {
    name: authorizers.map((authorizer) => authorizer.name).join(","),
    authorize(attributes) {
      const passed: AuthorizationDecision[] = [];
      for (const [at, authorizer] of authorizers.entries()) {
        const decision = authorizer.authorize(attributes);
        // Most authorizers answer at once, and then so does the union: a promise costs more than the decision.
        if (decision instanceof Promise) return settle(attributes, decision, at + 1, passed);
        if (decision.decision !== "noOpinion") return decision;
        passed.push(decision);
      }
      return noOpinion(passed);
    },
    rulesFor(user, namespace) {
      const unable = (name: string): ResolvedRules => ({
        rules: [],
        errors: [`${name} authorizer does not support user rule resolution`],
      });
      const resolved = authorizers.map(({ name, rulesFor }) => rulesFor?.(user, namespace) ?? unable(name));
      return { rules: resolved.flatMap(({ rules }) => rules), errors: resolved.flatMap(({ errors }) => errors) };
    },
  };
}

function noOpinion(passed: readonly AuthorizationDecision[]): AuthorizationDecision {
  const reasons = passed.flatMap(({ reason }) => (reason ? [reason] : []));
  const [error, ...more] = passed.flatMap((decision) => decision.error ?? []);
  const all = error === undefined || more.length === 0 ? error : joined([error, ...more]);
  return {
    decision: "noOpinion",
    ...(reasons.length === 0 ? {} : { reason: reasons.join("\n") }),
    ...(all === undefined ? {} : { error: all }),
  };
}

function joined(errors: readonly Error[]): Error {
  return new AggregateError(errors, `[${errors.map(({ message }) => message).join(", ")}]`);
}

function quote(text: string): string {
  return JSON.stringify(text);
}

/** The text may end in a page of a browser. */
function sanitize(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
