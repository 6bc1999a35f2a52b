import type { ConfigMap, Container, EnvVar, Pod, Secret, Service } from "../../api/index.js";
import { specOf } from "../pod/containers.js";
import type { PodObjects } from "../pod-objects.js";
import { type DownwardFacts, fieldValue, resourceValue } from "./downward.js";
import { expand } from "./expand.js";
import { serviceEnv, servicesFor } from "./service-env.js";

export interface EnvSources {
  readonly objects: PodObjects;
  readonly services: Iterable<Service>;
  readonly facts: DownwardFacts;
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
  { objects, facts }: EnvSources,
  lookup: (name: string) => string | undefined,
): Promise<string | undefined> {
  if (valueFrom === undefined) return expand(value ?? "", lookup);
  const namespace = pod.metadata.namespace ?? "";
  if (valueFrom.fieldRef) return fieldValue(pod, valueFrom.fieldRef.fieldPath, facts);
  if (valueFrom.resourceFieldRef) return resourceValue(pod, valueFrom.resourceFieldRef, container, facts);
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

function textOf(configMap: ConfigMap | undefined): Map<string, string> | undefined {
  return configMap === undefined ? undefined : new Map(Object.entries(configMap.data ?? {}));
}

function secretTextOf(secret: Secret | undefined): Map<string, string> | undefined {
  if (secret === undefined) return undefined;
  const entries = Object.entries(secret.data ?? {});
  return new Map(entries.map(([key, value]) => [key, Buffer.from(value, "base64").toString()]));
}
