import type { Environment } from "@marcbachmann/cel-js";
import type { Define } from "../custom/cel/library.js";
import { parseFieldSelector } from "../field-selector.js";
import { parseLabelSelector } from "../labels.js";
import { validateDns1123Label, validateDns1123Subdomain } from "../names.js";
import type { UserInfo } from "../transport.js";

/** What an expression asks the authorizer. `path` is set for requests outside the resource API. */
export interface AccessQuestion {
  readonly user: UserInfo;
  readonly verb: string;
  readonly path?: string;
  readonly group?: string;
  readonly resource?: string;
  readonly subresource?: string;
  readonly namespace?: string;
  readonly name?: string;
  readonly fieldSelector?: string;
}

export interface AccessAnswer {
  readonly allowed: boolean;
  readonly reason: string;
  /** Why the authorizer could not say; empty: it could. */
  readonly error: string;
}

/** Answers at once, or throws what ends the evaluation until the answer is known. */
export type AskAccess = (question: AccessQuestion) => AccessAnswer;

/** What `authorizer` is in expressions: the user who makes the request, and what the request is about. */
export class AuthorizerValue {
  readonly ask: AskAccess;
  readonly user: UserInfo;
  readonly requestResource: ResourceCheck;

  constructor(ask: AskAccess, user: UserInfo, request: Omit<AccessQuestion, "user" | "verb">) {
    this.ask = ask;
    this.user = user;
    this.requestResource = new ResourceCheck(ask, { user, ...request });
  }
}

class PathCheck {
  readonly ask: AskAccess;
  readonly question: Omit<AccessQuestion, "verb">;
  constructor(ask: AskAccess, question: Omit<AccessQuestion, "verb">) {
    this.ask = ask;
    this.question = question;
  }
}

class GroupCheck {
  readonly authorizer: AuthorizerValue;
  readonly group: string;
  constructor(authorizer: AuthorizerValue, group: string) {
    this.authorizer = authorizer;
    this.group = group;
  }
}

class ResourceCheck {
  readonly ask: AskAccess;
  readonly question: Omit<AccessQuestion, "verb">;
  constructor(ask: AskAccess, question: Omit<AccessQuestion, "verb">) {
    this.ask = ask;
    this.question = question;
  }

  with(more: Partial<AccessQuestion>): ResourceCheck {
    return new ResourceCheck(this.ask, { ...this.question, ...more });
  }
}

class Decision {
  readonly answer: AccessAnswer;
  constructor(answer: AccessAnswer) {
    this.answer = answer;
  }
}

export const authorizerType = "kubernetes.authorization.Authorizer";
const pathCheck = "kubernetes.authorization.PathCheck";
const groupCheck = "kubernetes.authorization.GroupCheck";
const resourceCheck = "kubernetes.authorization.ResourceCheck";
const decision = "kubernetes.authorization.Decision";

/** Kubernetes' authorization library, `authorizer.group("").resource("pods").check("get").allowed()`, and the variable `authorizer`. */
export function registerAuthorizer(define: Define, environment: Environment): void {
  environment.registerType(decision, { ctor: Decision, fields: {} });
  environment.registerType(pathCheck, { ctor: PathCheck, fields: {} });
  environment.registerType(groupCheck, { ctor: GroupCheck, fields: {} });
  environment.registerType(resourceCheck, { ctor: ResourceCheck, fields: {} });
  environment.registerType(authorizerType, { ctor: AuthorizerValue, fields: { requestResource: resourceCheck } });
  environment.registerVariable("authorizer", authorizerType);
  define(`${authorizerType}.path(string): ${pathCheck}`, ({ ask, user }: AuthorizerValue, path: string) => {
    if (path === "") throw new Error("path must not be empty");
    return new PathCheck(ask, { user, path });
  });
  define(
    `${authorizerType}.group(string): ${groupCheck}`,
    (authorizer: AuthorizerValue, group: string) => new GroupCheck(authorizer, group),
  );
  define(`${authorizerType}.serviceAccount(string, string): ${authorizerType}`, serviceAccount);
  define(`${groupCheck}.resource(string): ${resourceCheck}`, ({ authorizer, group }: GroupCheck, resource: string) => {
    if (resource === "") throw new Error("resource must not be empty");
    return new ResourceCheck(authorizer.ask, { user: authorizer.user, group, resource });
  });
  registerResourceCheck(define);
  define(`${pathCheck}.check(string): ${decision}`, ({ ask, question }: PathCheck, verb: string) => {
    return new Decision(ask({ ...question, verb }));
  });
  define(`${decision}.allowed(): bool`, ({ answer }: Decision) => answer.allowed);
  define(`${decision}.reason(): string`, ({ answer }: Decision) => answer.reason);
  define(`${decision}.errored(): bool`, ({ answer }: Decision) => answer.error !== "");
  define(`${decision}.error(): string`, ({ answer }: Decision) => answer.error);
}

function registerResourceCheck(define: Define): void {
  const set = (name: string, more: (value: string) => Partial<AccessQuestion>): void =>
    define(`${resourceCheck}.${name}(string): ${resourceCheck}`, (check: ResourceCheck, value: string) =>
      check.with(more(value)),
    );
  set("subresource", (subresource) => ({ subresource }));
  set("namespace", (namespace) => ({ namespace }));
  set("name", (name) => ({ name }));
  // A selector that cannot be read restricts nothing, as upstream.
  set("fieldSelector", (fieldSelector) => (readable(parseFieldSelector, fieldSelector) ? { fieldSelector } : {}));
  set("labelSelector", (labelSelector) => {
    readable(parseLabelSelector, labelSelector);
    return {};
  });
  define(`${resourceCheck}.check(string): ${decision}`, ({ ask, question }: ResourceCheck, verb: string) => {
    return new Decision(ask({ ...question, verb }));
  });
}

function readable(parse: (text: string) => unknown, text: string): boolean {
  try {
    parse(text);
    return true;
  } catch {
    return false;
  }
}

function serviceAccount({ ask, requestResource }: AuthorizerValue, namespace: string, name: string): AuthorizerValue {
  const wrongName = validateDns1123Subdomain(name);
  if (wrongName.length > 0) throw new Error("Invalid service account name");
  const wrongNamespace = validateDns1123Label(namespace);
  if (wrongNamespace.length > 0) throw new Error("Invalid service account namespace");
  const user: UserInfo = {
    username: `system:serviceaccount:${namespace}:${name}`,
    groups: ["system:serviceaccounts", `system:serviceaccounts:${namespace}`, "system:authenticated"],
  };
  return new AuthorizerValue(ask, user, requestResource.question);
}
