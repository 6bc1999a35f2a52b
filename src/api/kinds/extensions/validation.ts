import { type FieldError, forbidden, invalid, required } from "../../field-error.js";
import type { APIService, CustomResourceDefinition } from "../../gen/types.js";
import { jsonEqual } from "../../json-value.js";
import { validateDns1035Label } from "../../names.js";
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
  checkNames(errors, definition);
  checkVersions(errors, versions);
  definition.status?.storedVersions?.forEach((stored, index) => {
    if (versions.some((version) => version.name === stored)) return;
    errors.push(invalid(`status.storedVersions[${index}]`, stored, "must appear in spec.versions"));
  });
  if (conversion?.strategy === "Webhook") {
    const config = conversion.webhook?.clientConfig;
    if (config === undefined) {
      const why = "required when strategy is set to Webhook";
      errors.push(required("spec.conversion.webhook.clientConfig", why));
    } else if ((config.url === undefined) === (config.service === undefined)) {
      errors.push(required("spec.conversion.webhook.clientConfig", "exactly one of url or service is required"));
    }
    if ((conversion.webhook?.conversionReviewVersions?.length ?? 0) === 0) {
      errors.push(required("spec.conversion.webhook.conversionReviewVersions"));
    }
  } else if (conversion !== undefined) {
    checkEnum(errors, "spec.conversion.strategy", conversion.strategy, ["None", "Webhook"]);
    if (conversion.webhook !== undefined) {
      errors.push(forbidden("spec.conversion.webhook", "should not be set when strategy is not set to Webhook"));
    }
  }
  return errors;
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

function checkNames(errors: Errors, definition: Definition): void {
  const { plural, singular, kind, listKind, shortNames = [], categories = [] } = definition.spec?.names ?? {};
  const path = "spec.names";
  const check = (field: string, value: string | undefined, text = value): void => {
    if (!checkRequired(errors, `${path}.${field}`, value)) return;
    addInvalid(errors, `${path}.${field}`, value, validateDns1035Label(text ?? ""));
  };
  check("plural", plural);
  check("singular", singular);
  check("kind", kind, kind?.toLowerCase());
  check("listKind", listKind, listKind?.toLowerCase());
  if (kind !== undefined && kind === listKind) {
    errors.push(invalid(`${path}.listKind`, listKind, "kind and listKind may not be the same"));
  }
  shortNames.forEach((name, index) => {
    addInvalid(errors, `${path}.shortNames[${index}]`, name, validateDns1035Label(name));
  });
  categories.forEach((name, index) => {
    addInvalid(errors, `${path}.categories[${index}]`, name, validateDns1035Label(name));
  });
}

function checkVersions(errors: Errors, versions: NonNullable<NonNullable<Definition["spec"]>["versions"]>): void {
  const names = new Set<string>();
  versions.forEach((version, index) => {
    const at = `spec.versions[${index}]`;
    addInvalid(errors, `${at}.name`, version.name ?? "", validateDns1035Label(version.name ?? ""));
    if (version.schema?.openAPIV3Schema === undefined) {
      errors.push(required(`${at}.schema.openAPIV3Schema`, "schemas are required"));
    }
    if (version.deprecationWarning !== undefined && version.deprecated !== true) {
      errors.push(
        invalid(`${at}.deprecationWarning`, version.deprecationWarning, "can only be set for deprecated versions"),
      );
    }
    const scale = version.subresources?.scale;
    if (scale !== undefined) {
      const where = `${at}.subresources.scale`;
      checkScalePath(errors, `${where}.specReplicasPath`, scale.specReplicasPath, ".spec.");
      checkScalePath(errors, `${where}.statusReplicasPath`, scale.statusReplicasPath, ".status.");
    }
    names.add(version.name ?? "");
  });
  if (names.size !== versions.length)
    errors.push(invalid("spec.versions", versions, "must contain unique version names"));
  if (versions.filter((version) => version.storage === true).length !== 1) {
    errors.push(invalid("spec.versions", versions, "must have exactly one version marked as storage version"));
  }
}

function checkScalePath(errors: Errors, path: string, value: string | undefined, prefix: string): void {
  if (!checkRequired(errors, path, value)) return;
  if (!value.startsWith(prefix)) {
    errors.push(invalid(path, value, `should be a json path under ${prefix.slice(0, -1)}`));
  }
}

export function validateDefinitionUpdate(definition: Definition, old: Definition): readonly FieldError[] {
  const errors: Errors = [];
  // What was let in once is not asked about again until it changes.
  if (!jsonEqual(definition.spec?.versions, old.spec?.versions)) errors.push(...validateSchemas(definition));
  checkImmutable(errors, "spec.group", definition.spec?.group, old.spec?.group);
  checkImmutable(errors, "spec.names.plural", definition.spec?.names?.plural, old.spec?.names?.plural);
  const established = old.status?.conditions?.some(({ type, status }) => type === "Established" && status === "True");
  if (established !== true) return errors;
  checkImmutable(errors, "spec.scope", definition.spec?.scope, old.spec?.scope);
  checkImmutable(errors, "spec.names.kind", definition.spec?.names?.kind, old.spec?.names?.kind);
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
