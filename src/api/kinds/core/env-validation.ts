import { invalid, notSupported, required } from "../../field-error.js";
import type {
  EnvFromSource,
  EnvVar,
  EnvVarSource,
  ObjectFieldSelector,
  ResourceFieldSelector,
} from "../../gen/types.js";
import { validateConfigMapKey, validateEnvVarName, validateQualifiedName } from "../../names.js";
import { tryParseQuantity } from "../../quantity.js";
import { addInvalid, checkRequired, type Errors } from "../checks.js";
import type { Loose } from "../loose.js";

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
/** Labels of fields that a selector could name, some of which neither env nor volumes can show. */
const knownFields: ReadonlySet<string> = new Set([
  ...envFields,
  ...volumeFields,
  "spec.hostNetwork",
  "spec.restartPolicy",
  "spec.schedulerName",
  "status.nominatedNodeName",
  "status.phase",
]);
const containerResources = ["limits.cpu", "limits.ephemeral-storage", "limits.memory"].flatMap((limit) => [
  limit,
  limit.replace("limits", "requests"),
]);
const divisors: Readonly<Record<string, readonly string[]>> = {
  cpu: ["1m", "1"],
  memory: ["1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei"],
};
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
    checkFieldRef(errors, `${path}.fieldRef`, source.fieldRef, envFields, ["annotations", "labels"]);
  }
  if (source.resourceFieldRef !== undefined) {
    sources++;
    checkResourceFieldRef(errors, `${path}.resourceFieldRef`, source.resourceFieldRef, false);
  }
  for (const kind of ["configMapKeyRef", "secretKeyRef"] as const) {
    const reference = source[kind];
    if (reference === undefined) continue;
    sources++;
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

/** `subscripts` are the maps of metadata that may be read by key: `metadata.labels['app']`. */
export function checkFieldRef(
  errors: Errors,
  path: string,
  reference: Loose<ObjectFieldSelector>,
  supported: readonly string[],
  subscripts: readonly string[],
): void {
  if (!checkRequired(errors, `${path}.apiVersion`, reference.apiVersion)) return;
  if (!checkRequired(errors, `${path}.fieldPath`, reference.fieldPath)) return;
  const field = reference.fieldPath;
  const at = `${path}.fieldPath`;
  const subscript = /^metadata\.([a-zA-Z]+)\['(.*)'\]$/s.exec(field);
  if (subscript !== null) {
    const [, map = "", key = ""] = subscript;
    if (!subscripts.includes(map)) {
      errors.push(invalid(at, `metadata.${map}`, "does not support subscript"));
    } else {
      addInvalid(errors, path, key, validateQualifiedName(map === "annotations" ? key.toLowerCase() : key));
    }
  } else if (!knownFields.has(field)) {
    errors.push(invalid(at, field, `error converting fieldPath: field label not supported: ${field}`));
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
  if (ofVolume && !reference.containerName) {
    errors.push(required(`${path}.containerName`));
    return;
  }
  const resource = reference.resource;
  if (!checkRequired(errors, `${path}.resource`, resource)) return;
  if (!containerResources.includes(resource) && !/^(limits|requests)\.hugepages-/.test(resource)) {
    errors.push(notSupported(`${path}.resource`, resource, containerResources));
    return;
  }
  const unit = resource.endsWith(".cpu") ? "cpu" : "memory";
  const shown =
    unit === "cpu" ? "cpu" : resource.endsWith(".memory") ? "memory" : resource.slice(resource.indexOf(".") + 1);
  const divisor = tryParseQuantity(reference.divisor ?? "0");
  if (divisor === undefined || divisor.isZero) return;
  const allowed = divisors[unit] ?? [];
  if (!allowed.includes(divisor.toString())) {
    const values = unit === "cpu" ? allowed.join(" and ") : allowed.join(", ");
    const why = `only divisor's values ${values} are supported with the ${shown} resource`;
    errors.push(invalid(`${path}.divisor`, reference.divisor, why));
  }
}

export function checkEnvFrom(errors: Errors, path: string, sources: readonly Loose<EnvFromSource>[]): void {
  sources.forEach((source, index) => {
    const at = `${path}[${index}]`;
    if (source.prefix) addInvalid(errors, `${at}.prefix`, source.prefix, validateEnvVarName(source.prefix));
    const given = (["configMapRef", "secretRef"] as const).filter((kind) => source[kind] !== undefined);
    for (const kind of given) checkRequired(errors, `${at}.${kind}.name`, source[kind]?.name);
    if (given.length === 0) errors.push(invalid(at, "", "must specify one of: `configMapRef` or `secretRef`"));
    else if (given.length > 1) errors.push(invalid(at, "", onlyOneSource));
  });
}
