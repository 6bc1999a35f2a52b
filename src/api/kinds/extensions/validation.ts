import { type FieldError, forbidden, invalid, required } from "../../field-error.js";
import type { APIService, CustomResourceDefinition, CustomResourceDefinitionNames } from "../../gen/types.js";
import { jsonEqual } from "../../json-value.js";
import { validateDns1035Label } from "../../names.js";
import { checkClient } from "../admissionregistration/validation.js";
import {
  addInvalid,
  checkEnum,
  checkImmutable,
  checkRange,
  checkRequired,
  checkSubdomain,
  type Errors,
} from "../checks.js";
import { type Loose, ownValue } from "../loose.js";
import { validateSchemas } from "./schema-validation.js";

type Definition = Loose<CustomResourceDefinition>;
type Version = NonNullable<NonNullable<Definition["spec"]>["versions"]>[number];
type Names = Loose<CustomResourceDefinitionNames>;
type Conversion = NonNullable<NonNullable<Definition["spec"]>["conversion"]>;

const approval = "api-approved.kubernetes.io";

export function validateDefinition(definition: Definition): readonly FieldError[] {
  const errors: Errors = [];
  const { group = "", names = {}, scope, versions = [], conversion } = definition.spec ?? {};
  const name = definition.metadata?.name ?? "";
  if (name !== `${names.plural ?? ""}.${group}`) {
    errors.push(invalid("metadata.name", name, 'must be spec.names.plural+"."+spec.group'));
  }
  checkGroup(errors, definition, group);
  checkEnum(errors, "spec.scope", scope, ["Cluster", "Namespaced"]);
  checkNames(errors, names);
  checkVersions(errors, versions);
  if (conversion !== undefined) checkConversion(errors, conversion);
  return errors;
}

/** The paths are those that upstream has always had here, and not those of the fields. */
function checkConversion(errors: Errors, { strategy, webhook }: Conversion): void {
  const path = "spec.conversion";
  checkEnum(errors, `${path}.strategy`, strategy, ["None", "Webhook"]);
  const { clientConfig, conversionReviewVersions: versions = [] } = webhook ?? {};
  if (strategy !== "Webhook") {
    const why = "should not be set when strategy is not set to Webhook";
    if (clientConfig !== undefined) errors.push(forbidden(`${path}.webhookClientConfig`, why));
    if (versions.length > 0) errors.push(forbidden(`${path}.conversionReviewVersions`, why));
    return;
  }
  if (clientConfig !== undefined) checkClient(errors, `${path}.webhookClientConfig`, clientConfig);
  else errors.push(required(`${path}.webhookClientConfig`, "required when strategy is set to Webhook"));
  if (versions.length === 0) {
    errors.push(required(`${path}.conversionReviewVersions`));
    return;
  }
  versions.forEach((version, index) => {
    const at = `${path}.conversionReviewVersions[${index}]`;
    if (versions.indexOf(version) < index) errors.push(invalid(at, version, "duplicate version"));
    else addInvalid(errors, at, version, validateDns1035Label(version));
  });
  if (!versions.some((version) => version === "v1" || version === "v1beta1")) {
    errors.push(invalid(`${path}.conversionReviewVersions`, versions, "must include at least one of v1, v1beta1"));
  }
}

function checkGroup(errors: Errors, definition: Definition, group: string): void {
  if (group === "") {
    errors.push(required("spec.group"));
    return;
  }
  checkSubdomain(errors, "spec.group", group);
  if (!group.includes(".")) errors.push(invalid("spec.group", group, "should be a domain with at least one dot"));
  const reserved = /(^|\.)(k8s|kubernetes)\.io$/.test(group);
  if (reserved && !ownValue(definition.metadata?.annotations, approval)) {
    const why = `protected groups must have approval annotation "${approval}", see https://github.com/kubernetes/enhancements/pull/1111`;
    errors.push(required(`metadata.annotations[${approval}]`, why));
  }
}

function checkNames(errors: Errors, names: Names): void {
  for (const field of ["plural", "singular", "kind", "listKind"] as const) {
    checkRequired(errors, `spec.names.${field}`, names[field]);
  }
  checkNameForms(errors, "spec.names", names);
}

function checkNameForms(errors: Errors, path: string, names: Names): void {
  const { plural, singular, kind, listKind, shortNames = [], categories = [] } = names;
  const check = (field: string, value: string | undefined, what = ""): void => {
    if (!value) return;
    const messages = validateDns1035Label(what === "" ? value : value.toLowerCase());
    if (messages.length > 0) errors.push(invalid(`${path}.${field}`, value, what + messages.join(",")));
  };
  check("plural", plural);
  check("singular", singular);
  check("kind", kind, "may have mixed case, but should otherwise match: ");
  check("listKind", listKind, "may have mixed case, but should otherwise match: ");
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
  const names = new Set<string>();
  versions.forEach((version, index) => {
    const at = `spec.versions[${index}]`;
    addInvalid(errors, `${at}.name`, version.name ?? "", validateDns1035Label(version.name ?? ""));
    if (version.schema?.openAPIV3Schema === undefined) {
      errors.push(required(`${at}.schema.openAPIV3Schema`, "schemas are required"));
    }
    for (const why of wrongWarning(version)) {
      errors.push(invalid(`${at}.deprecationWarning`, version.deprecationWarning, why));
    }
    names.add(version.name ?? "");
  });
  if (names.size !== versions.length)
    errors.push(invalid("spec.versions", versions, "must contain unique version names"));
  if (versions.filter((version) => version.storage === true).length !== 1) {
    errors.push(invalid("spec.versions", versions, "must have exactly one version marked as storage version"));
  }
}

function wrongWarning({ deprecated, deprecationWarning: text }: Version): readonly string[] {
  if (text === undefined) return [];
  if (deprecated !== true) return ["can only be set for deprecated versions"];
  const wrong: string[] = [];
  if (Buffer.byteLength(text) > 256) wrong.push("must be <= 256 characters long");
  if (text === "") wrong.push("must not be an empty string");
  const odd = /[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/u.exec(text);
  if (odd !== null) {
    const at = Buffer.byteLength(text.slice(0, odd.index));
    wrong.push(`must only contain printable UTF-8 characters; non-printable character found at index ${at}`);
  }
  return wrong;
}

export function validateDefinitionUpdate(definition: Definition, old: Definition): readonly FieldError[] {
  const errors: Errors = [];
  // What was let in once is not asked about again until it changes.
  if (!jsonEqual(definition.spec?.versions, old.spec?.versions)) errors.push(...validateSchemas(definition));
  checkImmutable(errors, "spec.group", definition.spec?.group, old.spec?.group);
  checkImmutable(errors, "spec.names.plural", definition.spec?.names?.plural, old.spec?.names?.plural);
  checkStoredVersions(errors, definition);
  const established = old.status?.conditions?.some(({ type, status }) => type === "Established" && status === "True");
  if (established !== true) return errors;
  checkImmutable(errors, "spec.scope", definition.spec?.scope, old.spec?.scope);
  checkImmutable(errors, "spec.names.kind", definition.spec?.names?.kind, old.spec?.names?.kind);
  return errors;
}

function checkStoredVersions(errors: Errors, { spec, status }: Definition): void {
  status?.storedVersions?.forEach((stored, index) => {
    if (spec?.versions?.some(({ name }) => name === stored)) return;
    const why = `missing from spec.versions; ${stored} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in ${stored} and removes ${stored} from status.storedVersions`;
    errors.push(invalid(`status.storedVersions[${index}]`, stored, why));
  });
}

/** Only the names in a status are looked at: storedVersions are for whoever migrates. */
export function validateDefinitionStatus({ status }: Definition): readonly FieldError[] {
  const errors: Errors = [];
  checkNameForms(errors, "status.acceptedNames", status?.acceptedNames ?? {});
  return errors;
}

export function validateApiService(service: Loose<APIService>): readonly FieldError[] {
  const errors: Errors = [];
  const { group = "", version = "", service: reference, caBundle, insecureSkipTLSVerify } = service.spec ?? {};
  const name = service.metadata?.name ?? "";
  const wanted = `${version}.${group}`;
  if (name !== wanted) {
    errors.push(invalid("metadata.name", name, `must be \`spec.version+"."+spec.group\`: ${JSON.stringify(wanted)}`));
  }
  if (group === "") {
    if (version !== "v1") {
      errors.push(required("spec.group", "only v1 may have an empty group and it better be legacy kube"));
    }
  } else {
    checkSubdomain(errors, "spec.group", group);
  }
  addInvalid(errors, "spec.version", version, validateDns1035Label(version));
  checkPriority(errors, "spec.groupPriorityMinimum", service.spec?.groupPriorityMinimum ?? 0, 20_000);
  checkPriority(errors, "spec.versionPriority", service.spec?.versionPriority ?? 0, 1000);
  if (reference === undefined) {
    if ((caBundle ?? "") !== "") {
      errors.push(
        invalid("spec.caBundle", `${caBundle?.length ?? 0} bytes`, "local APIServices may not have a caBundle"),
      );
    }
    if (insecureSkipTLSVerify === true) {
      errors.push(invalid("spec.insecureSkipTLSVerify", true, "local APIServices may not have insecureSkipTLSVerify"));
    }
    return errors;
  }
  checkRequired(errors, "spec.service.namespace", reference.namespace);
  checkRequired(errors, "spec.service.name", reference.name);
  checkRange(errors, "spec.service.port", reference.port, 1, 65535);
  if (insecureSkipTLSVerify === true && (caBundle ?? "") !== "") {
    errors.push(invalid("spec.insecureSkipTLSVerify", true, "may not be true if caBundle is present"));
  }
  return errors;
}

function checkPriority(errors: Errors, path: string, value: number, max: number): void {
  if (value <= 0 || value > max) errors.push(invalid(path, value, `must be positive and less than ${max}`));
}
