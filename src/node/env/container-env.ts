import type { ConfigMap, Container, EnvVar, FileKeySelector, Pod, Secret, Service } from "../../api/index.js";
import { specOf } from "../pod/containers.js";
import type { PodObjects } from "../pod-objects.js";
import { type DownwardFacts, fieldValue, resourceValue } from "./downward.js";
import { parseEnvFile } from "./env-file.js";
import { expand } from "./expand.js";
import { serviceEnv, servicesFor } from "./service-env.js";

export interface EnvSources {
  readonly objects: PodObjects;
  readonly services: Iterable<Service>;
  readonly facts: DownwardFacts;
  /** The text of a file in a volume; undefined: there is none. Absent on a node that keeps nothing on disk. */
  readonly file?: ((volume: string, path: string) => Promise<string | undefined>) | undefined;
}

/** Something that a container refers to is not there (yet); the message is what its status says. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/** A container's environment: services, then envFrom, then env, each later one over the earlier. */
export async function containerEnv(pod: Pod, container: Container, sources: EnvSources): Promise<Map<string, string>> {
  const namespace = pod.metadata.namespace ?? "";
  const services = serviceEnv(servicesFor(sources.services, namespace, specOf(pod).enableServiceLinks ?? true));
  const env = new Map<string, string>();
  for (const from of container.envFrom ?? []) {
    const ref = from.configMapRef ?? from.secretRef;
    if (ref === undefined) continue;
    const data = from.configMapRef
      ? textOf(await sources.objects.configMap(namespace, ref.name ?? ""))
      : secretTextOf(await sources.objects.secret(namespace, ref.name ?? ""));
    if (data === undefined) {
      if (ref.optional) continue;
      throw new ConfigError(`${from.configMapRef ? "configmap" : "secret"} "${ref.name}" not found`);
    }
    for (const [key, value] of data) env.set(`${from.prefix ?? ""}${key}`, value);
  }
  for (const variable of container.env ?? []) {
    const value = await resolveValue(pod, container, variable, sources, (name) => env.get(name) ?? services.get(name));
    if (value !== undefined) env.set(variable.name, value);
  }
  for (const [name, value] of services) if (!env.has(name)) env.set(name, value);
  return env;
}

async function resolveValue(
  pod: Pod,
  container: Container,
  { value, valueFrom }: EnvVar,
  { objects, facts, file }: EnvSources,
  lookup: (name: string) => string | undefined,
): Promise<string | undefined> {
  if (valueFrom === undefined) return expand(value ?? "", lookup);
  const namespace = pod.metadata.namespace ?? "";
  if (valueFrom.fieldRef) return fieldValue(pod, valueFrom.fieldRef.fieldPath, facts);
  if (valueFrom.resourceFieldRef) return resourceValue(pod, valueFrom.resourceFieldRef, container, facts);
  if (valueFrom.fileKeyRef) return file === undefined ? undefined : fileValue(valueFrom.fileKeyRef, file);
  const ref = valueFrom.configMapKeyRef ?? valueFrom.secretKeyRef;
  if (ref === undefined) return undefined;
  const isSecret = valueFrom.configMapKeyRef === undefined;
  const name = ref.name ?? "";
  const data = isSecret
    ? secretTextOf(await objects.secret(namespace, name))
    : textOf(await objects.configMap(namespace, name));
  const found = data?.get(ref.key);
  if (found !== undefined) return found;
  if (ref.optional) return undefined;
  if (data === undefined) throw new ConfigError(`${isSecret ? "secret" : "configmap"} "${name}" not found`);
  throw new ConfigError(`couldn't find key ${ref.key} in ${isSecret ? "Secret" : "ConfigMap"} ${namespace}/${name}`);
}

async function fileValue(
  { volumeName, path, key, optional }: FileKeySelector,
  file: NonNullable<EnvSources["file"]>,
): Promise<string | undefined> {
  let found: string | undefined;
  try {
    const text = await file(volumeName, path);
    if (text === undefined && !optional) throw new Error("no such file");
    found = text === undefined ? undefined : parseEnvFile(text).get(key);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new ConfigError(`couldn't parse env file ${path} of volume ${volumeName}: ${why}`, { cause: error });
  }
  if (found !== undefined || optional) return found;
  throw new ConfigError(`environment variable key ${JSON.stringify(key)} not found in file ${JSON.stringify(path)}`);
}

function textOf(configMap: ConfigMap | undefined): Map<string, string> | undefined {
  return configMap === undefined ? undefined : new Map(Object.entries(configMap.data ?? {}));
}

function secretTextOf(secret: Secret | undefined): Map<string, string> | undefined {
  if (secret === undefined) return undefined;
  const entries = Object.entries(secret.data ?? {});
  return new Map(entries.map(([key, value]) => [key, Buffer.from(value, "base64").toString()]));
}
