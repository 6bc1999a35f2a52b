import { Meter } from "../custom/cel/budget.js";
import { type CelType, CelTypes } from "../custom/cel/types.js";
import type { ResourceDescription } from "../description.js";
import type { ExpressionWarning, ValidatingAdmissionPolicy } from "../gen/types.js";
import { apiVersionOf, parseApiVersion } from "../resource-type.js";
import { PolicyCompiler } from "./compiler.js";
import { AdmissionEnvironments } from "./environments.js";
import { jsonSchemaOf } from "./schema-view.js";

/** How many kinds of one rule are looked at. */
const maxTypes = 10;

/**
 * Compiles a policy's expressions once more, with the types of the kinds that its rules name, and says what does not fit: a hint to whoever wrote
 * it, and nothing that keeps the policy from being used. `served` is what there is.
 */
export function checkTypes(
  policy: ValidatingAdmissionPolicy,
  served: readonly ResourceDescription[],
): readonly ExpressionWarning[] {
  const compilers = typesToCheck(policy, served).map((description) => ({
    kind: `${description.group}/${description.version}, Kind=${description.kind}`,
    compiler: typedCompiler(policy, description, served),
  }));
  const check = (source: string): string =>
    compilers
      .flatMap(({ kind, compiler }) => {
        const { error } = compiler.compile(source, { authorizer: true });
        return error === undefined ? [] : [`${kind}: ${error.replace(/^compilation failed: /, "")}\n`];
      })
      .join("\n");
  const warnings: ExpressionWarning[] = [];
  (policy.spec?.validations ?? []).forEach((validation, index) => {
    for (const field of ["expression", "messageExpression"] as const) {
      const source = validation[field];
      const warning = source ? check(source) : "";
      if (warning !== "") warnings.push({ fieldRef: `spec.validations[${index}].${field}`, warning });
    }
  });
  return warnings;
}

function typedCompiler(
  policy: ValidatingAdmissionPolicy,
  description: ResourceDescription,
  served: readonly ResourceDescription[],
): PolicyCompiler {
  const { paramKind, variables = [] } = policy.spec ?? {};
  const params = paramKind && served.find((each) => isKind(each, paramKind.apiVersion ?? "", paramKind.kind ?? ""));
  const environments = new AdmissionEnvironments(new Meter(), (environment) => {
    const types = new CelTypes(environment, { unknown: "dynamic" });
    const typeOf = ({ schema }: ResourceDescription): CelType => types.typeOf(jsonSchemaOf(schema));
    return { object: typeOf(description).name, params: params && typeOf(params).name };
  });
  const compiler = new PolicyCompiler(environments, { params: params !== undefined });
  for (const { name, expression } of variables) compiler.addVariable(name, expression);
  return compiler;
}

function isKind(description: ResourceDescription, apiVersion: string, kind: string): boolean {
  const { group, version } = parseApiVersion(apiVersion);
  return description.group === group && description.version === version && description.kind === kind;
}

/** The kinds that the rules name outright, in order of group, version and kind. */
function typesToCheck(
  policy: ValidatingAdmissionPolicy,
  served: readonly ResourceDescription[],
): readonly ResourceDescription[] {
  const found = new Set<ResourceDescription>();
  for (const rule of policy.spec?.matchConstraints?.resourceRules ?? []) {
    const { apiGroups = [], apiVersions = [], resources = [] } = rule;
    if ([...apiGroups, ...apiVersions].some((each) => each.includes("*"))) continue;
    const named = served.filter(
      ({ group, version, resource }) =>
        apiGroups.includes(group) && apiVersions.includes(version) && resources.includes(resource),
    );
    for (const description of named.slice(0, maxTypes)) found.add(description);
    if (named.length >= maxTypes) break;
  }
  const key = (description: ResourceDescription): string => `${apiVersionOf(description)}/${description.kind}`;
  return [...found].sort((left, right) => (key(left) < key(right) ? -1 : 1));
}
