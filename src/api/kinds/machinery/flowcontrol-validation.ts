import { duplicate, type FieldError, forbidden, invalid, notSupported, required } from "../../field-error.js";
import type {
  FlowcontrolSubject,
  FlowSchema,
  NonResourcePolicyRule,
  PolicyRulesWithSubjects,
  PriorityLevelConfiguration,
  ResourcePolicyRule,
} from "../../gen/types.js";
import { validateDns1123Label, validateDns1123Subdomain } from "../../names.js";
import { addInvalid, checkRange, type Errors } from "../checks.js";
import { semanticallyEqual } from "../equality.js";
import type { Loose } from "../loose.js";
import { mandatoryFlowSchemas, mandatoryLevels } from "./flowcontrol-mandatory.js";

const maxPrecedence = 10_000;
const methods = ["ByNamespace", "ByUser"];

export function validateFlowSchema(schema: Loose<FlowSchema>): readonly FieldError[] {
  const errors: Errors = [];
  const name = schema.metadata?.name ?? "";
  const spec = schema.spec ?? {};
  const path = "spec.matchingPrecedence";
  const precedence = spec.matchingPrecedence ?? 0;
  if (precedence <= 0) errors.push(invalid(path, precedence, "must be a positive value"));
  if (precedence > maxPrecedence) {
    errors.push(invalid(path, precedence, `must not be greater than ${maxPrecedence}`));
  }
  if (precedence === 1 && name !== "exempt") {
    errors.push(invalid(path, precedence, "only the schema named 'exempt' may have matchingPrecedence 1"));
  }
  const { distinguisherMethod } = spec;
  if (distinguisherMethod !== undefined && !methods.includes(distinguisherMethod.type ?? "")) {
    errors.push(notSupported("spec.distinguisherMethod.type", distinguisherMethod, methods));
  }
  const level = spec.priorityLevelConfiguration?.name ?? "";
  const levelPath = "spec.priorityLevelConfiguration.name";
  if (level === "") errors.push(required(levelPath, "must reference a priority level"));
  else addInvalid(errors, levelPath, level, validateDns1123Subdomain(level));
  spec.rules?.forEach((rule, index) => {
    checkRule(errors, `spec.rules[${index}]`, rule);
  });
  const fixed = mandatoryFlowSchemas.get(name);
  if (fixed !== undefined && !semanticallyEqual(spec, fixed)) {
    errors.push(invalid("spec", spec, `spec of '${name}' must equal the fixed value`));
  }
  return errors;
}

function checkRule(errors: Errors, path: string, rule: Loose<PolicyRulesWithSubjects>): void {
  const { subjects = [], resourceRules = [], nonResourceRules = [] } = rule;
  if (subjects.length === 0) errors.push(required(`${path}.subjects`, "subjects must contain at least one value"));
  subjects.forEach((subject, index) => {
    checkSubject(errors, `${path}.subjects[${index}]`, subject);
  });
  if (resourceRules.length === 0 && nonResourceRules.length === 0) {
    const why = "at least one of resourceRules and nonResourceRules has to be non-empty";
    errors.push(required(path, why));
  }
  resourceRules.forEach((resourceRule, index) => {
    checkResourceRule(errors, `${path}.resourceRules[${index}]`, resourceRule);
  });
  nonResourceRules.forEach((nonResourceRule, index) => {
    checkNonResourceRule(errors, `${path}.nonResourceRules[${index}]`, nonResourceRule);
  });
}

/** The field that each kind of subject is in, in the order in which upstream looks at those of the others. */
const subjectFields = { ServiceAccount: "serviceAccount", User: "user", Group: "group" } as const;
type SubjectKind = keyof typeof subjectFields;
const subjectKinds = Object.keys(subjectFields) as readonly SubjectKind[];

function checkSubject(errors: Errors, path: string, subject: Loose<FlowcontrolSubject>): void {
  const kind = subjectKinds.find((known) => known === subject.kind);
  if (kind === undefined) {
    errors.push(notSupported(`${path}.kind`, subject.kind ?? "", [...subjectKinds].sort()));
    return;
  }
  const field = subjectFields[kind];
  const named = subject[field];
  const at = `${path}.${field}`;
  if (named === undefined) errors.push(required(at, `${field} is required when subject kind is '${kind}'`));
  else if (!named.name) errors.push(required(`${at}.name`));
  if (kind === "ServiceAccount" && subject.serviceAccount !== undefined) {
    const { name = "", namespace = "" } = subject.serviceAccount;
    if (name !== "" && name !== "*") addInvalid(errors, `${at}.name`, name, validateDns1123Subdomain(name));
    if (namespace === "") errors.push(required(`${at}.namespace`, "must specify namespace for service account"));
    else addInvalid(errors, `${at}.namespace`, namespace, validateDns1123Label(namespace));
  }
  for (const other of subjectKinds) {
    const foreign = subjectFields[other];
    if (other === kind || subject[foreign] === undefined) continue;
    errors.push(forbidden(`${path}.${foreign}`, `${foreign} is forbidden when subject kind is not '${other}'`));
  }
}

const verbs = ["create", "delete", "deletecollection", "get", "list", "patch", "proxy", "update", "watch"];

function checkVerbs(errors: Errors, path: string, given: readonly string[]): void {
  if (given.length === 0) errors.push(required(path, "verbs must contain at least one value"));
  else if (given.includes("*")) {
    if (given.length > 1) errors.push(invalid(path, given, "if '*' is present, must not specify other verbs"));
  } else if (!given.every((verb) => verbs.includes(verb))) errors.push(notSupported(path, given, verbs));
}

function checkNames(errors: Errors, path: string, names: readonly string[], one: string, others: string): void {
  if (names.length === 0) errors.push(required(path, `resource rules must supply at least one ${one}`));
  else if (names.length > 1 && names.includes("*")) {
    errors.push(invalid(path, names, `if '*' is present, must not specify other ${others}`));
  }
}

function checkResourceRule(errors: Errors, path: string, rule: Loose<ResourcePolicyRule>): void {
  const { apiGroups = [], resources = [], namespaces = [] } = rule;
  checkVerbs(errors, `${path}.verbs`, rule.verbs ?? []);
  checkNames(errors, `${path}.apiGroups`, apiGroups, "api group", "api groups");
  checkNames(errors, `${path}.resources`, resources, "resource", "resources");
  const at = `${path}.namespaces`;
  if (namespaces.length === 0 && rule.clusterScope !== true) {
    errors.push(required(at, "resource rules that are not cluster scoped must supply at least one namespace"));
  } else if (namespaces.includes("*")) {
    if (namespaces.length === 1) return;
    errors.push(invalid(at, namespaces, "if '*' is present, must not specify other namespaces"));
  } else {
    const intro = "each member of this list must be '*' or a DNS-1123 label; ";
    namespaces.forEach((namespace, index) => {
      const messages = validateDns1123Label(namespace).map((message) => intro + message);
      addInvalid(errors, `${at}[${index}]`, namespace, messages);
    });
  }
}

function checkNonResourceRule(errors: Errors, path: string, rule: Loose<NonResourcePolicyRule>): void {
  const { nonResourceURLs: urls = [] } = rule;
  checkVerbs(errors, `${path}.verbs`, rule.verbs ?? []);
  const at = `${path}.nonResourceURLs`;
  if (urls.length === 0) errors.push(required(at, "nonResourceURLs must contain at least one value"));
  else if (urls.includes("*")) {
    if (urls.length === 1) return;
    errors.push(invalid(at, urls, "if '*' is present, must not specify other non-resource URLs"));
  } else {
    urls.forEach((url, index) => {
      const why = urlProblem(url);
      if (why !== undefined) errors.push(invalid(`${at}[${index}]`, url, why));
    });
  }
}

function urlProblem(url: string): string | undefined {
  if (url === "") return "must not be empty";
  if (url === "/") return undefined;
  if (!url.startsWith("/")) return "must start with slash";
  if (url.includes(" ")) return "must not contain white-space";
  if (url.includes("//")) return "must not contain double slash";
  const stars = url.split("*").length - 1;
  const suffix = stars === 0 || (stars === 1 && url.endsWith("/*"));
  return suffix ? undefined : "wildcard can only do suffix matching";
}

interface WithConditions {
  readonly status?: { readonly conditions?: readonly { readonly type?: string | undefined }[] | undefined } | undefined;
}

export function validateFlowControlStatus({ status }: WithConditions): readonly FieldError[] {
  const errors: Errors = [];
  const seen = new Set<string>();
  status?.conditions?.forEach(({ type = "" }, index) => {
    const at = `status.conditions[${index}].type`;
    if (seen.has(type)) errors.push(duplicate(at, type));
    seen.add(type);
    if (type === "") errors.push(required(at, "must not be empty"));
  });
  return errors;
}

const notNegative = "must be a non-negative integer";

export function validatePriorityLevel(level: Loose<PriorityLevelConfiguration>): readonly FieldError[] {
  const errors: Errors = [];
  const name = level.metadata?.name ?? "";
  const spec = level.spec ?? {};
  const { type = "", limited, exempt } = spec;
  if ((name === "exempt") !== (type === "Exempt")) {
    errors.push(invalid("spec.type", type, "type must be 'Exempt' if and only if name is 'exempt'"));
  }
  if (type === "Exempt") {
    if (limited !== undefined) errors.push(forbidden("spec.limited", "must be nil if the type is not Limited"));
    if (exempt !== undefined) checkShares(errors, "spec.exempt", exempt);
  } else if (type === "Limited") {
    if (exempt !== undefined) errors.push(forbidden("spec.exempt", "must be nil if the type is Limited"));
    if (limited === undefined) errors.push(required("spec.limited", "must not be empty when type is Limited"));
    else checkLimited(errors, "spec.limited", limited);
  } else {
    errors.push(notSupported("spec.type", type, ["Exempt", "Limited"]));
  }
  checkMandatoryLevel(errors, name, spec);
  return errors;
}

type LevelSpec = Loose<NonNullable<PriorityLevelConfiguration["spec"]>>;
type Limited = NonNullable<LevelSpec["limited"]>;

interface Shares {
  readonly nominalConcurrencyShares?: number | undefined;
  readonly lendablePercent?: number | undefined;
}

function checkShares(errors: Errors, path: string, { nominalConcurrencyShares = 0, lendablePercent }: Shares): void {
  if (nominalConcurrencyShares < 0) {
    errors.push(invalid(`${path}.nominalConcurrencyShares`, nominalConcurrencyShares, notNegative));
  }
  checkRange(errors, `${path}.lendablePercent`, lendablePercent, 0, 100);
}

function checkLimited(errors: Errors, path: string, limited: Limited): void {
  const { nominalConcurrencyShares = 0, borrowingLimitPercent = 0 } = limited;
  if (nominalConcurrencyShares < 0) {
    errors.push(invalid(`${path}.nominalConcurrencyShares`, nominalConcurrencyShares, notNegative));
  }
  checkResponse(errors, `${path}.limitResponse`, limited.limitResponse ?? {});
  checkRange(errors, `${path}.lendablePercent`, limited.lendablePercent, 0, 100);
  if (borrowingLimitPercent < 0) {
    const why = `if specified, ${notNegative}`;
    errors.push(invalid(`${path}.borrowingLimitPercent`, borrowingLimitPercent, why));
  }
}

function checkResponse(errors: Errors, path: string, response: NonNullable<Limited["limitResponse"]>): void {
  const { type = "", queuing } = response;
  const at = `${path}.queuing`;
  if (type === "Reject") {
    if (queuing === undefined) return;
    errors.push(forbidden(at, "must be nil if limited.limitResponse.type is not Limited"));
  } else if (type === "Queue") {
    if (queuing !== undefined) checkQueuing(errors, at, queuing);
    else errors.push(required(at, "must not be empty if limited.limitResponse.type is Limited"));
  } else {
    errors.push(notSupported(`${path}.type`, type, ["Queue", "Reject"]));
  }
}

interface Queuing {
  readonly queues?: number | undefined;
  readonly handSize?: number | undefined;
  readonly queueLengthLimit?: number | undefined;
}

const maxQueues = 10_000_000;
/** The bits of the hash that a request's queues are chosen by. */
const maxHashBits = 60;

function checkQueuing(errors: Errors, path: string, queuing: Queuing): void {
  const { queues = 0, handSize = 0, queueLengthLimit = 0 } = queuing;
  const positive = "must be positive";
  if (queueLengthLimit <= 0) errors.push(invalid(`${path}.queueLengthLimit`, queueLengthLimit, positive));
  if (queues <= 0) errors.push(invalid(`${path}.queues`, queues, positive));
  else if (queues > maxQueues) {
    errors.push(invalid(`${path}.queues`, queues, `must not be greater than ${maxQueues}`));
  }
  const at = `${path}.handSize`;
  if (handSize <= 0) errors.push(invalid(at, handSize, positive));
  else if (handSize > queues) {
    errors.push(invalid(at, handSize, `should not be greater than queues (${queues})`));
  } else if (Math.ceil(Math.log2(queues) * handSize) > maxHashBits) {
    const what = `required entropy bits of deckSize ${queues} and handSize ${handSize}`;
    errors.push(invalid(at, handSize, `${what} should not be greater than ${maxHashBits}`));
  }
}

function checkMandatoryLevel(errors: Errors, name: string, spec: LevelSpec): void {
  const fixed = mandatoryLevels.get(name);
  if (fixed === undefined) return;
  // How much of the server the exempt level counts for is the administrator's to say.
  const own = name === "exempt" ? { ...spec, exempt: undefined } : spec;
  const wanted = name === "exempt" ? { ...fixed, exempt: undefined } : fixed;
  if (semanticallyEqual(own, wanted)) return;
  const but = name === "exempt" ? " except the 'spec.exempt' field" : "";
  errors.push(invalid("spec", spec, `spec of '${name}'${but} must equal the fixed value`));
}
