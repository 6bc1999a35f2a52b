import type { PolicyCompiler } from "../../admission-cel/compiler.js";
import { duplicate, type FieldError, forbidden, invalid, notSupported, required } from "../../field-error.js";
import type {
  AuditAnnotation,
  MatchResources,
  MutatingAdmissionPolicy,
  MutatingAdmissionPolicyBinding,
  Mutation,
  ParamKind,
  ParamRef,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
  Validation,
  Variable,
} from "../../gen/types.js";
import { validateDns1035Label, validateDns1123Subdomain } from "../../names.js";
import {
  addInvalid,
  checkEnum,
  checkQualifiedName,
  checkRequired,
  checkSubdomain,
  type Errors,
  validatePathSegmentName,
} from "../checks.js";
import { checkLabelSelector } from "../label-selector.js";
import type { Loose } from "../loose.js";
import { checkConditions, checkRule, expressionCompiler } from "./validation.js";

const failurePolicies = ["Fail", "Ignore"];
const reasons = ["Forbidden", "Invalid", "RequestEntityTooLarge"];
const maxAuditAnnotations = 20;
const maxValueExpressionBytes = 5 * 1024;

export function validateValidatingPolicy(policy: Loose<ValidatingAdmissionPolicy>): readonly FieldError[] {
  const errors: Errors = [];
  const spec = policy.spec ?? {};
  const compiler = checkShared(errors, spec);
  const { validations = [], auditAnnotations = [] } = spec;
  if (validations.length === 0 && auditAnnotations.length === 0) {
    const why = "validations or auditAnnotations must contain at least one item";
    errors.push(required("spec.validations", why), required("spec.auditAnnotations", why));
    return errors;
  }
  validations.forEach((validation, index) => {
    checkValidation(errors, `spec.validations[${index}]`, validation, compiler);
  });
  checkAnnotations(errors, policy.metadata?.name ?? "", auditAnnotations, compiler);
  return errors;
}

export function validateMutatingPolicy(policy: Loose<MutatingAdmissionPolicy>): readonly FieldError[] {
  const errors: Errors = [];
  const spec = policy.spec ?? {};
  const compiler = checkShared(errors, spec);
  spec.matchConstraints?.resourceRules?.forEach((rule, index) => {
    rule.operations?.forEach((operation, position) => {
      if (operation !== "DELETE") return;
      const at = `spec.matchConstraints.resourceRules[${index}].operations[${position}]`;
      errors.push(notSupported(at, operation, ["*", "CONNECT", "CREATE", "UPDATE"]));
    });
  });
  const { mutations = [] } = spec;
  if (mutations.length === 0) errors.push(required("spec.mutations", "mutations must contain at least one item"));
  mutations.forEach((mutation, index) => {
    checkMutation(errors, `spec.mutations[${index}]`, mutation, compiler);
  });
  checkEnum(errors, "spec.reinvocationPolicy", spec.reinvocationPolicy, ["IfNeeded", "Never"]);
  return errors;
}

/** What both kinds of policies have; gives the compiler, which knows their variables. */
function checkShared(
  errors: Errors,
  spec: {
    readonly failurePolicy?: string | undefined;
    readonly paramKind?: Loose<ParamKind> | undefined;
    readonly matchConstraints?: Loose<MatchResources> | undefined;
    readonly matchConditions?: Parameters<typeof checkConditions>[2] | undefined;
    readonly variables?: readonly Loose<Variable>[] | undefined;
  },
): PolicyCompiler {
  const params = spec.paramKind !== undefined;
  checkEnum(errors, "spec.failurePolicy", spec.failurePolicy, failurePolicies);
  if (spec.paramKind !== undefined) checkParamKind(errors, "spec.paramKind", spec.paramKind);
  if (spec.matchConstraints === undefined) errors.push(required("spec.matchConstraints"));
  else {
    checkMatch(errors, "spec.matchConstraints", spec.matchConstraints);
    const { resourceRules = [] } = spec.matchConstraints;
    if (resourceRules.length === 0) errors.push(required("spec.matchConstraints.resourceRules"));
  }
  checkConditions(errors, "spec.matchConditions", spec.matchConditions ?? [], params);
  const compiler = expressionCompiler(params);
  spec.variables?.forEach((variable, index) => {
    checkVariable(errors, `spec.variables[${index}]`, variable, compiler);
  });
  return compiler;
}

function checkParamKind(errors: Errors, path: string, { apiVersion = "", kind = "" }: Loose<ParamKind>): void {
  if (checkRequired(errors, `${path}.apiVersion`, apiVersion)) {
    const parts = apiVersion.split("/");
    const version = parts.at(-1) ?? "";
    const [group = ""] = parts.length === 2 ? parts : [];
    if (parts.length > 2) {
      errors.push(invalid(`${path}.apiVersion`, apiVersion, `unexpected GroupVersion string: ${apiVersion}`));
    } else {
      if (group !== "") addJoined(errors, `${path}.apiVersion`, group, validateDns1123Subdomain(group));
      if (version === "") errors.push(invalid(`${path}.apiVersion`, apiVersion, "version must be specified"));
      else addJoined(errors, `${path}.apiVersion`, version, validateDns1035Label(version));
    }
  }
  if (!checkRequired(errors, `${path}.kind`, kind)) return;
  const wrong = validateDns1035Label(kind.toLowerCase());
  if (wrong.length === 0) return;
  errors.push(invalid(`${path}.kind`, kind, `may have mixed case, but should otherwise match: ${wrong.join(",")}`));
}

function addJoined(errors: Errors, path: string, value: string, messages: readonly string[]): void {
  if (messages.length > 0) errors.push(invalid(path, value, messages.join(",")));
}

function checkMatch(errors: Errors, path: string, match: Loose<MatchResources>): void {
  checkEnum(errors, `${path}.matchPolicy`, match.matchPolicy, ["Equivalent", "Exact"]);
  for (const field of ["namespaceSelector", "objectSelector"] as const) {
    if (match[field] === undefined) errors.push(required(`${path}.${field}`));
    else checkLabelSelector(errors, `${path}.${field}`, match[field]);
  }
  for (const field of ["resourceRules", "excludeResourceRules"] as const) {
    match[field]?.forEach((rule, index) => {
      const at = `${path}.${field}[${index}]`;
      const { resourceNames = [] } = rule;
      resourceNames.forEach((name, position) => {
        const named = `${at}.resourceNames[${position}]`;
        addInvalid(errors, named, name, validatePathSegmentName(name));
        if (resourceNames.indexOf(name) < position) errors.push(duplicate(named, name));
      });
      checkRule(errors, at, rule);
    });
  }
}

/** Words that cannot be names in the language. */
const reserved: ReadonlySet<string> = new Set(
  "true false null in as break const continue else for function if import let loop package namespace return var void while".split(
    " ",
  ),
);

function checkVariable(
  errors: Errors,
  path: string,
  { name = "", expression = "" }: Loose<Variable>,
  compiler: PolicyCompiler,
): void {
  const isName = /^[_a-zA-Z][_a-zA-Z0-9]*$/.test(name) && !reserved.has(name);
  if (name.trim() === "") errors.push(required(`${path}.name`, "name is not specified"));
  else if (!isName) errors.push(invalid(`${path}.name`, name, "name is not a valid CEL identifier"));
  if (expression.trim() === "") {
    errors.push(required(`${path}.expression`, "expression is not specified"));
  } else if (isName) {
    const { error } = compiler.addVariable(name, expression);
    if (error !== undefined) errors.push(invalid(`${path}.expression`, expression, error));
  }
}

function checkValidation(errors: Errors, path: string, validation: Loose<Validation>, compiler: PolicyCompiler): void {
  const { expression = "", message = "", messageExpression = "", reason } = validation;
  if (expression.trim() === "") errors.push(required(`${path}.expression`, "expression is not specified"));
  else {
    const { error } = compiler.compile(expression, { authorizer: true, returns: ["bool"] });
    if (error !== undefined) errors.push(invalid(`${path}.expression`, expression, error));
  }
  if (messageExpression.trim() !== "") {
    const { error } = compiler.compile(messageExpression, { authorizer: false, returns: ["string"] });
    if (error !== undefined) errors.push(invalid(`${path}.messageExpression`, messageExpression, error));
  } else if (messageExpression !== "") {
    errors.push(invalid(`${path}.messageExpression`, messageExpression, "must be non-empty if specified"));
  }
  if (message !== "" && message.trim() === "") {
    errors.push(invalid(`${path}.message`, message, "message must be non-empty if specified"));
  } else if (/[\n\r]/.test(message.trim())) {
    errors.push(invalid(`${path}.message`, message, "message must not contain line breaks"));
  }
  if (reason !== undefined && !reasons.includes(reason)) {
    errors.push(notSupported(`${path}.reason`, reason, reasons));
  }
}

function checkAnnotations(
  errors: Errors,
  policyName: string,
  annotations: readonly Loose<AuditAnnotation>[],
  compiler: PolicyCompiler,
): void {
  const path = "spec.auditAnnotations";
  if (annotations.length > maxAuditAnnotations) {
    errors.push(invalid(path, annotations, `must not have more than ${maxAuditAnnotations} auditAnnotations`));
  }
  const keys = new Set<string>();
  annotations.forEach(({ key = "", valueExpression = "" }, index) => {
    const at = `${path}[${index}]`;
    if (policyName === "") errors.push(invalid(`${at}.key`, key, "requires metadata.name be non-empty"));
    else checkQualifiedName(errors, `${at}.key`, `${policyName}/${key}`);
    const expression = valueExpression.trim();
    if (expression === "") {
      errors.push(required(`${at}.valueExpression`, "valueExpression is not specified"));
    } else if (Buffer.byteLength(expression) > maxValueExpressionBytes) {
      errors.push(required(`${at}.valueExpression`, `must not exceed ${maxValueExpressionBytes} bytes in length`));
    } else {
      const { error } = compiler.compile(expression, { authorizer: true, returns: ["string", "null_type"] });
      if (error !== undefined) errors.push(invalid(`${at}.valueExpression`, valueExpression, error));
    }
    if (keys.has(key)) errors.push(duplicate(`${at}.key`, key));
    keys.add(key);
  });
}

function checkMutation(errors: Errors, path: string, mutation: Loose<Mutation>, compiler: PolicyCompiler): void {
  const { patchType } = mutation;
  const types = [
    { type: "ApplyConfiguration", field: "applyConfiguration", returns: "Object" },
    { type: "JSONPatch", field: "jsonPatch", returns: "list(JSONPatch)" },
  ] as const;
  checkEnum(
    errors,
    `${path}.patchType`,
    patchType,
    types.map(({ type }) => type),
  );
  for (const { type, field, returns } of types) {
    const given = mutation[field];
    const at = `${path}.${field}`;
    if (patchType !== type) {
      if (given !== undefined) errors.push(forbidden(at, `may only be specified when patchType is ${type}`));
    } else if (given === undefined) {
      errors.push(required(at, `must be specified when patchType is ${type}`));
    } else {
      const { expression = "" } = given;
      if (expression.trim() === "") errors.push(required(`${at}.expression`, "expression is not specified"));
      else {
        const { error } = compiler.compileMutation(expression, returns);
        if (error !== undefined) errors.push(invalid(`${at}.expression`, expression, error));
      }
    }
  }
}

export function validateValidatingBinding(binding: Loose<ValidatingAdmissionPolicyBinding>): readonly FieldError[] {
  const errors: Errors = [];
  const spec = binding.spec ?? {};
  checkBinding(errors, spec);
  const actions = spec.validationActions ?? [];
  const path = "spec.validationActions";
  const all = ["Audit", "Deny", "Warn"];
  actions.forEach((action, index) => {
    if (!all.includes(action)) errors.push(notSupported(`${path}[${index}]`, action, all));
    if (actions.indexOf(action) < index) errors.push(duplicate(`${path}[${index}]`, action));
  });
  if (actions.includes("Deny") && actions.includes("Warn")) {
    const why =
      "must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)";
    errors.push(invalid(path, actions, why));
  }
  if (actions.length === 0) errors.push(required(path, "at least one validation action is required"));
  return errors;
}

export function validateMutatingBinding(binding: Loose<MutatingAdmissionPolicyBinding>): readonly FieldError[] {
  const errors: Errors = [];
  checkBinding(errors, binding.spec ?? {});
  return errors;
}

function checkBinding(
  errors: Errors,
  spec: {
    readonly policyName?: string | undefined;
    readonly paramRef?: Loose<ParamRef> | undefined;
    readonly matchResources?: Loose<MatchResources> | undefined;
  },
): void {
  if (checkRequired(errors, "spec.policyName", spec.policyName)) {
    checkSubdomain(errors, "spec.policyName", spec.policyName);
  }
  if (spec.paramRef !== undefined) checkParamRef(errors, "spec.paramRef", spec.paramRef);
  // Upstream's own spelling of the path.
  if (spec.matchResources !== undefined) checkMatch(errors, "spec.matchResouces", spec.matchResources);
}

function checkParamRef(errors: Errors, path: string, ref: Loose<ParamRef>): void {
  const { name = "", selector } = ref;
  const both = "name and selector are mutually exclusive";
  if (name !== "") {
    addInvalid(errors, `${path}.name`, name, validatePathSegmentName(name));
    if (selector !== undefined) errors.push(forbidden(`${path}.name`, both));
  }
  if (selector !== undefined) {
    checkLabelSelector(errors, `${path}.selector`, selector);
    if (name !== "") errors.push(forbidden(`${path}.selector`, both));
  }
  if (name === "" && selector === undefined) errors.push(required(path, "one of name or selector must be specified"));
  checkEnum(errors, `${path}.parameterNotFoundAction`, ref.parameterNotFoundAction, ["Allow", "Deny"]);
}
