import type {
  ConfigMap,
  DownwardAPIVolumeFile,
  KeyToPath,
  Pod,
  ProjectedVolumeSource,
  Secret,
  Volume,
} from "../../api/index.js";
import { type DownwardFacts, fieldValue, resourceValue } from "../env/downward.js";
import { containersOf, specOf } from "../pod/containers.js";
import type { PodObjects } from "../pod-objects.js";
import type { ProjectedFile } from "./atomic-writer.js";
import type { TokenSource } from "./token-source.js";

export interface ProjectionContext {
  readonly pod: Pod;
  readonly objects: PodObjects;
  readonly tokens: TokenSource;
  readonly facts: DownwardFacts;
  readonly signal: AbortSignal;
}

export interface Projection {
  readonly files: Map<string, ProjectedFile>;
  /** When a token among them is due for renewal. */
  renewAtMs: number;
}

const defaultFileMode = 0o644;

/** The files of a volume whose content comes from the API; undefined for volumes of other types. */
export async function projectVolume(volume: Volume, context: ProjectionContext): Promise<Projection | undefined> {
  const result: Projection = { files: new Map(), renewAtMs: Number.POSITIVE_INFINITY };
  const { configMap, secret, downwardAPI, projected } = volume;
  if (configMap) {
    await addConfigMap(result, context, configMap, configMap.defaultMode);
  } else if (secret) {
    await addSecret(result, context, { ...secret, name: secret.secretName ?? "" }, secret.defaultMode);
  } else if (downwardAPI) {
    addDownward(result, context, downwardAPI.items, downwardAPI.defaultMode);
  } else if (projected) {
    await addProjected(result, context, projected);
  } else return undefined;
  return result;
}

async function addProjected(
  result: Projection,
  context: ProjectionContext,
  source: ProjectedVolumeSource,
): Promise<void> {
  const mode = source.defaultMode;
  for (const { configMap, secret, downwardAPI, serviceAccountToken, ...other } of source.sources ?? []) {
    if (configMap) await addConfigMap(result, context, configMap, mode);
    else if (secret) await addSecret(result, context, secret, mode);
    else if (downwardAPI) addDownward(result, context, downwardAPI.items, mode);
    else if (serviceAccountToken) {
      const { audience = "", expirationSeconds = 3600, path } = serviceAccountToken;
      const { token, renewAtMs } = await context.tokens.get(
        context.pod,
        { audience, expirationSeconds },
        context.signal,
      );
      result.files.set(path, { data: Buffer.from(token), ...tokenAccess(context.pod, mode ?? defaultFileMode) });
      result.renewAtMs = Math.min(result.renewAtMs, renewAtMs);
    } else throw new Error(`projected volume source ${Object.keys(other).join(", ")} is not supported`);
  }
}

/** A token is for those alone who run the pod, where the pod says who that is: all its containers' one user, or its group. */
function tokenAccess(pod: Pod, mode: number): Pick<ProjectedFile, "mode" | "uid"> {
  const { securityContext } = specOf(pod);
  const users = new Set(
    containersOf(pod)
      .filter(({ role }) => role !== "ephemeral")
      .map(({ container }) => container.securityContext?.runAsUser ?? securityContext?.runAsUser),
  );
  const [uid] = users.size === 1 ? users : [];
  if (uid === undefined && securityContext?.fsGroup === undefined) return { mode };
  return { mode: 0o600, uid };
}

interface ObjectRef {
  readonly name?: string;
  readonly items?: readonly KeyToPath[];
  readonly optional?: boolean;
}

async function addConfigMap(
  result: Projection,
  context: ProjectionContext,
  ref: ObjectRef,
  mode?: number,
): Promise<void> {
  const namespace = context.pod.metadata.namespace ?? "";
  const found = await context.objects.configMap(namespace, ref.name ?? "");
  if (found === undefined && !ref.optional) throw new Error(`configmap "${ref.name}" not found`);
  add(result, found === undefined ? new Map() : bytesOf(found), ref, mode, "configmap");
}

async function addSecret(result: Projection, context: ProjectionContext, ref: ObjectRef, mode?: number): Promise<void> {
  const namespace = context.pod.metadata.namespace ?? "";
  const found = await context.objects.secret(namespace, ref.name ?? "");
  if (found === undefined && !ref.optional) throw new Error(`secret "${ref.name}" not found`);
  add(result, found === undefined ? new Map() : bytesOf(found), ref, mode, "secret");
}

function bytesOf(object: ConfigMap | Secret): Map<string, Buffer> {
  const bytes = new Map<string, Buffer>();
  if (object.kind === "ConfigMap") {
    for (const [key, value] of Object.entries(object.data ?? {})) bytes.set(key, Buffer.from(value));
    for (const [key, value] of Object.entries(object.binaryData ?? {})) bytes.set(key, Buffer.from(value, "base64"));
  } else {
    for (const [key, value] of Object.entries(object.data ?? {})) bytes.set(key, Buffer.from(value, "base64"));
  }
  return bytes;
}

function add(
  result: Projection,
  data: Map<string, Buffer>,
  ref: ObjectRef,
  mode: number | undefined,
  what: string,
): void {
  const base = mode ?? defaultFileMode;
  if (ref.items === undefined || ref.items.length === 0) {
    for (const [key, bytes] of data) result.files.set(key, { data: bytes, mode: base });
    return;
  }
  for (const item of ref.items) {
    const bytes = data.get(item.key);
    if (bytes !== undefined) result.files.set(item.path, { data: bytes, mode: item.mode ?? base });
    else if (!ref.optional)
      throw new Error(`references non-existent ${what === "secret" ? "secret" : "config"} key: ${item.key}`);
  }
}

function addDownward(
  result: Projection,
  { pod, facts }: ProjectionContext,
  items: readonly DownwardAPIVolumeFile[] | undefined,
  mode: number | undefined,
): void {
  for (const { path, fieldRef, resourceFieldRef, mode: own } of items ?? []) {
    const text = fieldRef
      ? fieldValue(pod, fieldRef.fieldPath, facts)
      : resourceFieldRef
        ? resourceValue(pod, resourceFieldRef, undefined, facts)
        : "";
    result.files.set(path, { data: Buffer.from(text), mode: own ?? mode ?? defaultFileMode });
  }
}
