import {
  type ConfigMap,
  configMaps,
  isStatusError,
  type KubeObject,
  type Pod,
  type ResourceType,
  type Secret,
  secrets,
} from "../api/index.js";
import { type Client, createInformer, type Informer } from "../client/index.js";
import type { Clock } from "../internal/clock.js";
import type { Logger } from "../internal/logger.js";
import type { Random } from "../internal/random.js";
import { specOf } from "./pod/containers.js";

/** The ConfigMaps and Secrets that pods refer to; undefined when there is none of that name. */
export interface PodObjects {
  configMap(namespace: string, name: string): Promise<ConfigMap | undefined>;
  secret(namespace: string, name: string): Promise<Secret | undefined>;
}

export interface ObjectWatcherOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  /** An object that this pod refers to has changed. */
  readonly onChange: (podUid: string) => void;
}

interface Watched {
  readonly informer: Informer<KubeObject>;
  readonly stop: AbortController;
  readonly pods: Set<string>;
}

/**
 * Watches each object that a pod of this node refers to, one by one (a node is not allowed more), from the first to
 * the last such pod.
 */
export class ObjectWatcher implements PodObjects {
  readonly #options: ObjectWatcherOptions;
  readonly #watched = new Map<string, Watched>();
  readonly #ofPod = new Map<string, readonly string[]>();

  constructor(options: ObjectWatcherOptions) {
    this.#options = options;
  }

  /** To be called when a pod is first seen. */
  register(pod: Pod): void {
    const { uid } = pod.metadata;
    if (this.#ofPod.has(uid)) return;
    const keys = referencesOf(pod);
    this.#ofPod.set(uid, keys);
    for (const key of keys) this.#watch(key).pods.add(uid);
  }

  unregister(podUid: string): void {
    for (const key of this.#ofPod.get(podUid) ?? []) {
      const watched = this.#watched.get(key);
      if (watched === undefined) continue;
      watched.pods.delete(podUid);
      if (watched.pods.size > 0) continue;
      watched.stop.abort();
      this.#watched.delete(key);
    }
    this.#ofPod.delete(podUid);
  }

  async configMap(namespace: string, name: string): Promise<ConfigMap | undefined> {
    return this.#get(configMaps, namespace, name);
  }

  async secret(namespace: string, name: string): Promise<Secret | undefined> {
    return this.#get(secrets, namespace, name);
  }

  async #get<T extends KubeObject>(resource: ResourceType<T>, namespace: string, name: string): Promise<T | undefined> {
    const watched = this.#watched.get(`${resource.resource}/${namespace}/${name}`);
    const { client, signal } = this.#options;
    if (watched?.informer.synced) {
      const cached = watched.informer.get(`${namespace}/${name}`);
      // A miss may be the watch's delay: ask before failing a container for it.
      if (cached !== undefined) return cached as T;
    }
    try {
      return await client.get(resource, { namespace, name }, { signal });
    } catch (error) {
      if (isStatusError(error, "NotFound")) return undefined;
      throw error;
    }
  }

  #watch(key: string): Watched {
    const known = this.#watched.get(key);
    if (known !== undefined) return known;
    const [resource = "", namespace = "", name = ""] = key.split("/");
    const { client, clock, random, logger, signal, onChange } = this.#options;
    const informer = createInformer<KubeObject>({
      client,
      clock,
      random,
      logger,
      resource: resource === "secrets" ? secrets : configMaps,
      namespace,
      fieldSelector: `metadata.name=${name}`,
    });
    const watched: Watched = { informer, stop: new AbortController(), pods: new Set() };
    this.#watched.set(key, watched);
    const tell = (): void => watched.pods.forEach(onChange);
    informer.addHandler({ add: (_, initial) => initial || tell(), update: tell, delete: tell });
    informer.run(AbortSignal.any([watched.stop.signal, signal])).catch((error: unknown) => {
      logger.error("watching an object of a pod ended", { key, error });
    });
    return watched;
  }
}

/** `configmaps/ns/name` and `secrets/ns/name` of everything that a pod's volumes, env and image pulls name. */
function referencesOf(pod: Pod): string[] {
  const namespace = pod.metadata.namespace ?? "";
  const spec = specOf(pod);
  const found = new Set<string>();
  const add = (resource: "configmaps" | "secrets", name: string | undefined): void => {
    if (name) found.add(`${resource}/${namespace}/${name}`);
  };
  for (const volume of spec.volumes ?? []) {
    add("configmaps", volume.configMap?.name);
    add("secrets", volume.secret?.secretName);
    for (const { configMap, secret } of volume.projected?.sources ?? []) {
      add("configmaps", configMap?.name);
      add("secrets", secret?.name);
    }
  }
  for (const list of [spec.initContainers, spec.containers, spec.ephemeralContainers]) {
    for (const { env, envFrom } of list ?? []) {
      for (const { valueFrom } of env ?? []) {
        add("configmaps", valueFrom?.configMapKeyRef?.name);
        add("secrets", valueFrom?.secretKeyRef?.name);
      }
      for (const { configMapRef, secretRef } of envFrom ?? []) {
        add("configmaps", configMapRef?.name);
        add("secrets", secretRef?.name);
      }
    }
  }
  for (const { name } of spec.imagePullSecrets ?? []) add("secrets", name);
  return [...found];
}
