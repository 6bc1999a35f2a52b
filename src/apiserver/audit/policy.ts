import { refuse, type Shape, shapeErrors, withoutNulls } from "../../api/configuration-shape.js";
import { type FieldError, invalid, notSupported, required } from "../../api/field-error.js";
import { validateDns1123Subdomain } from "../../api/names.js";
import { decodeConfiguration } from "../configuration-file.js";
import { type AuditLevel, type AuditStage, auditApiVersion, auditLevels, auditStages } from "./event.js";

/** Which requests are recorded, and how much of them: the first rule that matches decides, and without one nothing is. */
export interface AuditPolicy {
  readonly rules: readonly AuditRule[];
  /** Of all rules. */
  readonly omitStages?: readonly AuditStage[];
  /** Leaves `metadata.managedFields` out of objects, where a rule does not say otherwise. */
  readonly omitManagedFields?: boolean;
}

/** What a rule does not say matches everything. */
export interface AuditRule {
  readonly level: AuditLevel;
  readonly users?: readonly string[];
  /** One of them is enough. */
  readonly userGroups?: readonly string[];
  readonly verbs?: readonly string[];
  /** Not beside `nonResourceURLs`. */
  readonly resources?: readonly AuditResources[];
  /** `""` is what has no namespace. */
  readonly namespaces?: readonly string[];
  /** Paths; `*` may end one. */
  readonly nonResourceURLs?: readonly string[];
  readonly omitStages?: readonly AuditStage[];
  readonly omitManagedFields?: boolean;
}

export interface AuditResources {
  /** Absent: the core group. */
  readonly group?: string;
  /** `pods`, `pods/log`, `pods/*`, `*` + `/scale`, `*`; absent: all of the group. */
  readonly resources?: readonly string[];
  readonly resourceNames?: readonly string[];
}

const strings: Shape = { list: "string" };

const shape: Shape = {
  fields: {
    apiVersion: "string",
    kind: "string",
    metadata: "any",
    omitStages: strings,
    omitManagedFields: "boolean",
    rules: {
      list: {
        fields: {
          level: "string",
          users: strings,
          userGroups: strings,
          verbs: strings,
          resources: { list: { fields: { group: "string", resources: strings, resourceNames: strings } } },
          namespaces: strings,
          nonResourceURLs: strings,
          omitStages: strings,
          omitManagedFields: "boolean",
        },
      },
    },
  },
};

/**
 * Reads a Policy of `audit.k8s.io/v1`, YAML or JSON. Unlike upstream, which takes it with a warning, refuses fields that nobody
 * knows: a rule whose `users` is misspelt matches everybody.
 *
 * @throws {ConfigurationError} which says everything that is wrong, with the paths of the fields
 */
export function parseAuditPolicy(text: string): AuditPolicy {
  const document = decodeConfiguration(text);
  const errors = shapeErrors(document, shape, "");
  const { apiVersion, kind, ...policy } = (withoutNulls(document) ?? {}) as AuditPolicy & {
    apiVersion?: string;
    kind?: string;
  };
  if (apiVersion !== auditApiVersion) errors.unshift(notSupported("apiVersion", apiVersion ?? "", [auditApiVersion]));
  if (kind !== "Policy") errors.unshift(notSupported("kind", kind ?? "", ["Policy"]));
  refuse(errors);
  refuse(policyErrors(policy));
  return policy;
}

/** What is wrong with a policy, as upstream's validation has it. */
export function policyErrors(policy: AuditPolicy): readonly FieldError[] {
  const { rules = [], omitStages = [] } = policy;
  if (rules.length === 0) return [required("rules", "without a rule nothing is recorded")];
  return [
    ...stageErrors(omitStages, "omitStages"),
    ...rules.flatMap((rule, index) => ruleErrors(rule, `rules[${index}]`)),
  ];
}

function ruleErrors(rule: AuditRule, path: string): readonly FieldError[] {
  const { level, nonResourceURLs = [], resources = [], namespaces = [], omitStages = [] } = rule;
  const errors: FieldError[] = [];
  if (level === undefined) errors.push(required(`${path}.level`));
  else if (!auditLevels.includes(level)) errors.push(notSupported(`${path}.level`, level, auditLevels));
  for (const [index, url] of nonResourceURLs.entries())
    errors.push(...urlErrors(url, `${path}.nonResourceURLs[${index}]`));
  for (const [index, each] of resources.entries()) errors.push(...resourceErrors(each, `${path}.resources[${index}]`));
  errors.push(...stageErrors(omitStages, `${path}.omitStages`));
  if (nonResourceURLs.length > 0 && resources.length + namespaces.length > 0) {
    const why = "rules cannot apply to both regular resources and non-resource URLs";
    errors.push(invalid(`${path}.nonResourceURLs`, nonResourceURLs, why));
  }
  return errors;
}

function urlErrors(url: string, path: string): readonly FieldError[] {
  if (url === "*") return [];
  const errors: FieldError[] = [];
  if (!url.startsWith("/")) errors.push(invalid(path, url, "non-resource URL rules must begin with a '/' character"));
  if (url.slice(0, -1).includes("*")) {
    errors.push(invalid(path, url, "non-resource URL wildcards '*' must be the final character of the rule"));
  }
  return errors;
}

function resourceErrors(
  { group = "", resources = [], resourceNames = [] }: AuditResources,
  path: string,
): FieldError[] {
  const errors: FieldError[] = [];
  const wrong = group === "" ? [] : validateDns1123Subdomain(group);
  if (wrong.length > 0) errors.push(invalid(`${path}.group`, group, wrong.join(",")));
  if (resourceNames.length > 0 && resources.length === 0) {
    errors.push(invalid(`${path}.resourceNames`, resourceNames, "using resourceNames requires at least one resource"));
  }
  return errors;
}

function stageErrors(stages: readonly AuditStage[], path: string): readonly FieldError[] {
  return stages.flatMap((stage, index) =>
    auditStages.includes(stage)
      ? []
      : [invalid(`${path}[${index}]`, stage, `allowed stages are ${auditStages.join(",")}`)],
  );
}
