import { type FieldError, forbidden, invalid, required } from "../../field-error.js";
import type { CustomResourceDefinition } from "../../gen/types.js";
import { jsonEqual } from "../../json-value.js";
import { validateDns1035Label, validateDns1123Subdomain } from "../../names.js";
import { caBundleProblem } from "../ca-bundle.js";
import { checkEnum, checkImmutable, checkRequired, type Errors } from "../checks.js";
import { type Loose, ownValue } from "../loose.js";
import { checkReviewVersions, checkWebhookClient, isRecognized } from "../webhook-client.js";
import { validateSchemas } from "./schema-validation.js";

type Definition = Loose<CustomResourceDefinition>;
type Spec = NonNullable<Definition["spec"]>;
type Version = NonNullable<NonNullable<Spec["versions"]>[number]>;
type Names = NonNullable<Spec["names"]>;

const approval = "api-approved.kubernetes.io";
const maxWarning = 256;

export function validateDefinition(definition: Definition): readonly FieldError[] {
  const errors: Errors = [];
  const { group = "", names = {}, scope, versions = [] } = definition.spec ?? {};
  const name = definition.metadata?.name ?? "";
  if (name !== `${names.plural ?? ""}.${group}`) {
    errors.push(invalid("metadata.name", name, 'must be spec.names.plural+"."+spec.group'));
  }
  checkGroup(errors, group);
  checkEnum(errors, "spec.scope", scope, ["Cluster", "Namespaced"]);
  checkVersions(errors, versions);
  for (const field of ["plural", "singular", "kind", "listKind"] as const) {
    checkRequired(errors, `spec.names.${field}`, names[field]);
  }
  checkNames(errors, "spec.names", names);
  checkNames(errors, "status.acceptedNames", definition.status?.acceptedNames ?? {});
  checkStored(errors, definition, versions);
  checkApproval(errors, definition, group);
  return errors;
}

export function validateNewDefinition(definition: Definition): readonly FieldError[] {
  return [...validateSchemas(definition), ...conversionErrors(definition, true)];
}

export function validateDefinitionStatus(definition: Definition): readonly FieldError[] {
  const errors: Errors = [];
  checkNames(errors, "status.acceptedNames", definition.status?.acceptedNames ?? {});
  return errors;
}

function checkGroup(errors: Errors, group: string): void {
  if (!checkRequired(errors, "spec.group", group)) return;
  const wrong = validateDns1123Subdomain(group);
  if (wrong.length > 0) errors.push(invalid("spec.group", group, wrong.join(",")));
  else if (!group.includes(".")) errors.push(invalid("spec.group", group, "should be a domain with at least one dot"));
}

/** Groups of the project itself need its word. */
function checkApproval(errors: Errors, definition: Definition, group: string): void {
  if (!/(^|\.)(k8s|kubernetes)\.io$/.test(group)) return;
  const path = `metadata.annotations[${approval}]`;
  const value = ownValue(definition.metadata?.annotations, approval) ?? "";
  if (value.startsWith("unapproved") || URL.canParse(value)) return;
  if (value === "") {
    const why = `protected groups must have approval annotation "${approval}", see https://github.com/kubernetes/enhancements/pull/1111`;
    errors.push(required(path, why));
    return;
  }
  const why = `protected groups must have approval annotation "${approval}" with either a URL or a reason starting with "unapproved", see https://github.com/kubernetes/enhancements/pull/1111`;
  errors.push(invalid(path, value, why));
}

function checkNames(errors: Errors, path: string, names: Names): void {
  const check = (field: string, value = "", text = value, before = ""): void => {
    const wrong = validateDns1035Label(text);
    if (wrong.length > 0) errors.push(invalid(`${path}.${field}`, value, `${before}${wrong.join(",")}`));
  };
  const mixed = "may have mixed case, but should otherwise match: ";
  const { plural, singular, kind, listKind, shortNames = [], categories = [] } = names;
  if (plural) check("plural", plural);
  if (singular) check("singular", singular);
  if (kind) check("kind", kind, kind.toLowerCase(), mixed);
  if (listKind) check("listKind", listKind, listKind.toLowerCase(), mixed);
  shortNames.forEach((name, index) => {
    check(`shortNames[${index}]`, name);
  });
  if (kind && kind === listKind) {
    errors.push(invalid(`${path}.listKind`, listKind, "kind and listKind may not be the same"));
  }
  categories.forEach((name, index) => {
    check(`categories[${index}]`, name);
  });
}

function checkVersions(errors: Errors, versions: readonly Version[]): void {
  versions.forEach((version, index) => {
    if (version.schema?.openAPIV3Schema !== undefined) return;
    errors.push(required(`spec.versions[${index}].schema.openAPIV3Schema`, "schemas are required"));
  });
  const names = new Set<string>();
  versions.forEach((version, index) => {
    const { name = "" } = version;
    const wrong = validateDns1035Label(name);
    if (wrong.length > 0) errors.push(invalid(`spec.versions[${index}].name`, name, wrong.join(",")));
    checkDeprecation(errors, `spec.versions[${index}].deprecationWarning`, version);
    names.add(name);
  });
  if (names.size !== versions.length) {
    errors.push(invalid("spec.versions", versions, "must contain unique version names"));
  }
  if (versions.filter((version) => version.storage === true).length !== 1) {
    errors.push(invalid("spec.versions", versions, "must have exactly one version marked as storage version"));
  }
}

function checkDeprecation(errors: Errors, path: string, { deprecated, deprecationWarning: text }: Version): void {
  if (text === undefined) return;
  if (deprecated !== true) {
    errors.push(invalid(path, text, "can only be set for deprecated versions"));
    return;
  }
  if (Buffer.byteLength(text) > maxWarning)
    errors.push(invalid(path, text, `must be <= ${maxWarning} characters long`));
  if (text === "") errors.push(invalid(path, text, "must not be an empty string"));
  const strange = /[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/u.exec(text);
  if (strange === null) return;
  const at = Buffer.byteLength(text.slice(0, strange.index));
  const why = `must only contain printable UTF-8 characters; non-printable character found at index ${at}`;
  errors.push(invalid(path, text, why));
}

function checkStored(errors: Errors, { status }: Definition, versions: readonly Version[]): void {
  const path = "status.storedVersions";
  const stored = status?.storedVersions;
  // A definition that no server has seen has no status.
  if (stored === undefined) return;
  if (stored.length === 0) {
    errors.push(invalid(path, null, "must have at least one stored version"));
    return;
  }
  for (const { name = "", storage } of versions) {
    if (storage === true && !stored.includes(name)) {
      errors.push(invalid(path, stored, `must have the storage version ${name}`));
    }
  }
  stored.forEach((version, index) => {
    if (versions.some(({ name }) => name === version)) return;
    const why = `missing from spec.versions; ${version} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in ${version} and removes ${version} from status.storedVersions`;
    errors.push(invalid(`${path}[${index}]`, version, why));
  });
}

/** The fields are named as in the form that upstream checks, which is not the one that is sent. */
function conversionErrors({ spec }: Definition, recognized: boolean): readonly FieldError[] {
  const errors: Errors = [];
  const path = "spec.conversion";
  if (spec?.conversion === undefined) return errors;
  const { strategy, webhook } = spec.conversion;
  const versions = webhook?.conversionReviewVersions ?? [];
  checkEnum(errors, `${path}.strategy`, strategy, ["None", "Webhook"]);
  if (strategy === "Webhook") {
    if (webhook?.clientConfig === undefined) {
      errors.push(required(`${path}.webhookClientConfig`, "required when strategy is set to Webhook"));
    } else {
      checkWebhookClient(errors, `${path}.webhookClientConfig`, webhook.clientConfig);
    }
    checkReviewVersions(errors, `${path}.conversionReviewVersions`, versions, { recognized, missing: "" });
    return errors;
  }
  const why = "should not be set when strategy is not set to Webhook";
  if (webhook?.clientConfig !== undefined) errors.push(forbidden(`${path}.webhookClientConfig`, why));
  if (versions.length > 0) errors.push(forbidden(`${path}.conversionReviewVersions`, why));
  return errors;
}

export function validateDefinitionUpdate(definition: Definition, old: Definition): readonly FieldError[] {
  const errors: Errors = [];
  // What was let in once is not asked about again until it changes.
  if (!jsonEqual(definition.spec?.versions, old.spec?.versions)) errors.push(...validateSchemas(definition));
  const reviews = old.spec?.conversion?.webhook?.conversionReviewVersions ?? [];
  errors.push(...conversionErrors(definition, reviews.length === 0 || isRecognized(reviews)));
  if (old.status?.conditions?.some(({ type, status }) => type === "Established" && status === "True") === true) {
    checkBundle(errors, bundleOf(definition), bundleOf(old));
    checkImmutable(errors, "spec.scope", definition.spec?.scope, old.spec?.scope);
    checkImmutable(errors, "spec.names.kind", definition.spec?.names?.kind, old.spec?.names?.kind);
  }
  checkImmutable(errors, "spec.group", definition.spec?.group, old.spec?.group);
  checkImmutable(errors, "spec.names.plural", definition.spec?.names?.plural, old.spec?.names?.plural);
  return errors;
}

/** Once a definition is served, certificates that can be read are not exchanged for what cannot. */
function checkBundle(errors: Errors, bundle: string, old: string): void {
  const why = bundle === "" ? undefined : caBundleProblem(bundle);
  if (why === undefined || (old !== "" && caBundleProblem(old) !== undefined)) return;
  const path = "spec.conversion.webhookClientConfig.caBundle";
  errors.push(invalid(path, bundle, `unable to load root certificates: ${why}`));
}

function bundleOf({ spec }: Definition): string {
  const { strategy, webhook } = spec?.conversion ?? {};
  return strategy === "Webhook" ? (webhook?.clientConfig?.caBundle ?? "") : "";
}
