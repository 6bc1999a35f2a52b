import { PolicyCompiler } from "../../admission-cel/compiler.js";
import { AdmissionEnvironments } from "../../admission-cel/environments.js";
import { Meter } from "../../custom/cel/budget.js";
import { duplicate, invalid, notSupported, required, tooMany } from "../../field-error.js";
import type { RuleWithOperations } from "../../gen/types.js";
import { validateQualifiedName } from "../../names.js";
import { addInvalid, checkOptionalEnum, checkRequired, type Errors } from "../checks.js";
import type { Loose } from "../loose.js";

const operations = ["*", "CONNECT", "CREATE", "DELETE", "UPDATE"];
const maxMatchConditions = 64;

/** Match conditions of a webhook or a policy; only those of a policy may have `params`. */
export function checkConditions(
  errors: Errors,
  path: string,
  conditions: readonly { readonly name?: string | undefined; readonly expression?: string | undefined }[],
  params: boolean,
): void {
  if (conditions.length > maxMatchConditions) errors.push(tooMany(path, conditions.length, maxMatchConditions));
  const compiler = conditions.length === 0 ? undefined : expressionCompiler(params);
  const names = new Set<string>();
  conditions.forEach((condition, index) => {
    const at = `${path}[${index}]`;
    const expression = condition.expression?.trim() ?? "";
    if (checkRequired(errors, `${at}.expression`, expression)) {
      const { error } = compiler?.compile(expression, { authorizer: true, returns: ["bool"], composed: false }) ?? {};
      if (error !== undefined) errors.push(invalid(`${at}.expression`, expression, error));
    }
    if (!checkRequired(errors, `${at}.name`, condition.name)) return;
    addInvalid(errors, `${at}.name`, condition.name, validateQualifiedName(condition.name));
    if (names.has(condition.name)) errors.push(duplicate(`${at}.name`, condition.name));
    names.add(condition.name);
  });
}

/** Made for one object at a time: configurations are rarely written, and what was compiled is of no further use. */
export function expressionCompiler(params: boolean): PolicyCompiler {
  return new PolicyCompiler(new AdmissionEnvironments(new Meter()), { params });
}

export function checkRule(errors: Errors, path: string, rule: Loose<RuleWithOperations>): void {
  checkList(errors, `${path}.operations`, rule.operations ?? [], "operations");
  rule.operations?.forEach((operation, index) => {
    if (operations.includes(operation)) return;
    errors.push(notSupported(`${path}.operations[${index}]`, operation, operations));
  });
  checkList(errors, `${path}.apiGroups`, rule.apiGroups ?? [], "API groups");
  checkList(errors, `${path}.apiVersions`, rule.apiVersions ?? [], "API versions");
  rule.apiVersions?.forEach((version, index) => {
    checkRequired(errors, `${path}.apiVersions[${index}]`, version);
  });
  checkResources(errors, `${path}.resources`, rule.resources ?? []);
  checkOptionalEnum(errors, `${path}.scope`, rule.scope, ["*", "Cluster", "Namespaced"]);
}

function checkList(errors: Errors, path: string, values: readonly string[], what: string): void {
  if (values.length === 0) errors.push(required(path));
  if (values.length > 1 && values.includes("*")) {
    errors.push(invalid(path, values, `if '*' is present, must not specify other ${what}`));
  }
}

/** Resources and subresources: of one that stands for others, the others may not follow. */
function checkResources(errors: Errors, path: string, resources: readonly string[]): void {
  if (resources.length === 0) errors.push(required(path));
  const whole = new Set<string>();
  const everywhere = new Set<string>();
  // Upstream looks only at the last one without a subresource.
  let plain = false;
  resources.forEach((text, index) => {
    const at = `${path}[${index}]`;
    if (!checkRequired(errors, at, text)) return;
    const slash = text.indexOf("/");
    if (slash < 0) {
      plain = text !== "*";
      return;
    }
    const resource = text.slice(0, slash);
    const subresource = text.slice(slash + 1);
    if (whole.has(resource)) {
      errors.push(invalid(at, text, `if '${resource}/*' is present, must not specify ${text}`));
    }
    if (everywhere.has(subresource)) {
      errors.push(invalid(at, text, `if '*/${subresource}' is present, must not specify ${text}`));
    }
    if (subresource === "*") whole.add(resource);
    if (resource === "*") everywhere.add(subresource);
  });
  if (resources.length > 1 && resources.includes("*/*")) {
    errors.push(invalid(path, resources, "if '*/*' is present, must not specify other resources"));
  }
  if (plain && resources.includes("*")) {
    const why = "if '*' is present, must not specify other resources without subresources";
    errors.push(invalid(path, resources, why));
  }
}
