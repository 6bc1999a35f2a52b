import { invalid, notSupported, required } from "../../field-error.js";
import type {
  EnvFromSource,
  EnvVar,
  EnvVarSource,
  ObjectFieldSelector,
  ResourceFieldSelector,
} from "../../gen/types.js";
import {
  validateConfigMapKey,
  validateDns1123Subdomain,
  validateEnvVarName,
  validateQualifiedName,
} from "../../names.js";
import { tryParseQuantity } from "../../quantity.js";
import { addInvalid, checkRequired, type Errors } from "../checks.js";
import type { Loose } from "../loose.js";
import { maskTrailingDash } from "../object-meta.js";

const envFields = [
  "metadata.name",
  "metadata.namespace",
  "metadata.uid",
  "spec.nodeName",
  "spec.serviceAccountName",
  "status.hostIP",
  "status.hostIPs",
  "status.podIP",
  "status.podIPs",
];
export const volumeFields: readonly string[] = [
  "metadata.annotations",
  "metadata.labels",
  "metadata.name",
  "metadata.namespace",
  "metadata.uid",
];
/** What a reference may name at all; neither env nor volumes can show all of them. */
const knownFields: ReadonlySet<string> = new Set([
  ...envFields,
  ...volumeFields,
  "spec.restartPolicy",
  "spec.schedulerName",
  "status.phase",
]);
/** The maps of metadata that may be read by key: `metadata.labels['app']`. */
const subscripts: ReadonlySet<string> = new Set(["metadata.annotations", "metadata.labels"]);
const containerResources = [
  "limits.cpu",
  "limits.ephemeral-storage",
  "limits.memory",
  "requests.cpu",
  "requests.ephemeral-storage",
  "requests.memory",
];
const byteUnits = ["1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei"];
const onlyOneSource = "may not have more than one field specified at a time";

export function checkEnv(errors: Errors, path: string, variables: readonly Loose<EnvVar>[]): void {
  variables.forEach((variable, index) => {
    const at = `${path}[${index}]`;
    if (checkRequired(errors, `${at}.name`, variable.name)) {
      addInvalid(errors, `${at}.name`, variable.name, validateEnvVarName(variable.name));
    }
    if (variable.valueFrom !== undefined) checkSource(errors, `${at}.valueFrom`, variable.valueFrom, variable.value);
  });
}

function checkSource(errors: Errors, path: string, source: Loose<EnvVarSource>, value: string | undefined): void {
  let sources = 0;
  if (source.fieldRef !== undefined) {
    sources++;
    checkFieldRef(errors, `${path}.fieldRef`, source.fieldRef, envFields);
  }
  if (source.resourceFieldRef !== undefined) {
    sources++;
    checkResourceFieldRef(errors, `${path}.resourceFieldRef`, source.resourceFieldRef, false);
  }
  for (const kind of ["configMapKeyRef", "secretKeyRef"] as const) {
    const reference = source[kind];
    if (reference === undefined) continue;
    sources++;
    const name = reference.name ?? "";
    addInvalid(errors, `${path}.${kind}.name`, name, validateDns1123Subdomain(name));
    if (checkRequired(errors, `${path}.${kind}.key`, reference.key)) {
      addInvalid(errors, `${path}.${kind}.key`, reference.key, validateConfigMapKey(reference.key));
    }
  }
  if (source.fileKeyRef !== undefined) {
    sources++;
    checkRequired(errors, `${path}.fileKeyRef.volumeName`, source.fileKeyRef.volumeName);
    checkRequired(errors, `${path}.fileKeyRef.path`, source.fileKeyRef.path);
    if (checkRequired(errors, `${path}.fileKeyRef.key`, source.fileKeyRef.key)) {
      addInvalid(errors, `${path}.fileKeyRef.key`, source.fileKeyRef.key, validateEnvVarName(source.fileKeyRef.key));
    }
  }
  if (sources === 0) {
    const choices = "`fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`";
    errors.push(invalid(path, "", `must specify one of: ${choices}`));
  } else if (value) {
    errors.push(invalid(path, "", "may not be specified when `value` is not empty"));
  } else if (sources > 1) {
    errors.push(invalid(path, "", onlyOneSource));
  }
}

export function checkFieldRef(
  errors: Errors,
  path: string,
  reference: Loose<ObjectFieldSelector>,
  supported: readonly string[],
): void {
  if (!checkRequired(errors, `${path}.apiVersion`, reference.apiVersion)) return;
  if (!checkRequired(errors, `${path}.fieldPath`, reference.fieldPath)) return;
  const given = reference.fieldPath;
  const at = `${path}.fieldPath`;
  // The name of before v1.
  const field = given === "spec.host" ? "spec.nodeName" : given;
  const [, map, key = ""] = /^(.+?)\['(.*)'\]$/s.exec(field) ?? [];
  if (map !== undefined) {
    if (!subscripts.has(map)) {
      errors.push(invalid(at, given, `error converting fieldPath: field label does not support subscript: ${given}`));
    } else {
      const name = map === "metadata.annotations" ? key.toLowerCase() : key;
      addInvalid(errors, path, name, validateQualifiedName(name));
    }
  } else if (!knownFields.has(field)) {
    errors.push(invalid(at, given, `error converting fieldPath: field label not supported: ${given}`));
  } else if (!supported.includes(field)) {
    errors.push(notSupported(at, field, supported));
  }
}

export function checkResourceFieldRef(
  errors: Errors,
  path: string,
  reference: Loose<ResourceFieldSelector>,
  ofVolume: boolean,
): void {
  const { resource = "" } = reference;
  if (ofVolume && !reference.containerName) errors.push(required(`${path}.containerName`));
  else if (resource === "") errors.push(required(`${path}.resource`));
  else if (!containerResources.includes(resource) && !isHugePages(resource)) {
    errors.push(notSupported(`${path}.resource`, resource, containerResources));
  }
  const divisor = tryParseQuantity(reference.divisor ?? "0");
  if (divisor === undefined || divisor.isZero) return;
  const unit = isHugePages(resource) ? "hugepages" : units.get(resource);
  if (unit === undefined || (unit === "cpu" ? ["1m", "1"] : byteUnits).includes(divisor.toString())) return;
  const values = unit === "cpu" ? "1m and 1" : byteUnits.join(", ");
  const why = `only divisor's values ${values} are supported with the ${unit} resource`;
  errors.push(invalid(`${path}.divisor`, resource, why));
}

function isHugePages(resource: string): boolean {
  return /^(limits|requests)\.hugepages-/.test(resource);
}

/** What messages call the resource. */
const units: ReadonlyMap<string, string> = new Map(
  containerResources.map((resource) => {
    const name = resource.slice(resource.indexOf(".") + 1);
    return [resource, name === "ephemeral-storage" ? "local ephemeral storage" : name];
  }),
);

export function checkEnvFrom(errors: Errors, path: string, sources: readonly Loose<EnvFromSource>[]): void {
  sources.forEach((source, index) => {
    const at = `${path}[${index}]`;
    if (source.prefix) addInvalid(errors, `${at}.prefix`, source.prefix, validateEnvVarName(source.prefix));
    const given = (["configMapRef", "secretRef"] as const).filter((kind) => source[kind] !== undefined);
    for (const kind of given) {
      const name = source[kind]?.name;
      if (!checkRequired(errors, `${at}.${kind}.name`, name)) continue;
      addInvalid(errors, `${at}.${kind}.name`, name, validateDns1123Subdomain(maskTrailingDash(name)));
    }
    // Upstream does not say which source it is.
    if (given.length === 0) errors.push(invalid(path, "", "must specify one of: `configMapRef` or `secretRef`"));
    else if (given.length > 1) errors.push(invalid(path, "", onlyOneSource));
  });
}
