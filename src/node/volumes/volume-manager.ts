import { chmod, chown, mkdir, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import {
  type EmptyDirVolumeSource,
  type HostPathVolumeSource,
  type PersistentVolumeClaim,
  type Pod,
  persistentVolumeClaims,
  persistentVolumes,
  type Volume,
} from "../../api/index.js";
import type { Client } from "../../client/index.js";
import type { Clock } from "../../internal/clock.js";
import { mountMemory, mountPointsBelow, unmount } from "../../internal/mounts.js";
import type { CsiVolumes } from "../csi/csi-volumes.js";
import type { DownwardFacts } from "../env/downward.js";
import { specOf } from "../pod/containers.js";
import type { PodObjects } from "../pod-objects.js";
import { writeAtomically } from "./atomic-writer.js";
import { memorySize } from "./memory-size.js";
import { projectVolume } from "./projection.js";
import { bindSubPath, removeSubPaths, subPathFolder, subPathOf } from "./sub-path.js";
import { TokenSource } from "./token-source.js";

export interface MountedVolumes {
  /** Host path by volume name. */
  readonly paths: ReadonlyMap<string, string>;
  /** Names of those that no container may write to, whatever it asks for. */
  readonly readOnly: ReadonlySet<string>;
  /** When content must be looked at again though nothing told so. */
  readonly renewAtMs: number;
}

export interface SubPathMount {
  readonly volume: string;
  readonly volumePath: string;
  readonly container: string;
  /** Among the container's mounts. */
  readonly index: number;
  readonly subPath: string;
}

/** Why a pod's volume cannot be had; the message is that of the FailedMount event. */
export class VolumeError extends Error {
  override readonly name = "VolumeError";
}

export interface VolumeManagerOptions {
  readonly rootDir: string;
  readonly client: Client;
  readonly objects: PodObjects;
  readonly clock: Clock;
  /** Whether this process may mount, and so what is to be in memory is, or in folders like everything else. Needs the right to mount. */
  readonly inMemory: boolean;
  /** Memory of the node that pods may use, in bytes. */
  readonly allocatableMemoryBytes: number;
  readonly csi: CsiVolumes;
}

/** What `#putInMemory` mounts, and nobody else. */
const inMemoryVolume = /\/volumes\/kubernetes\.io~(empty-dir|secret|projected|downward-api)\/[^/]+$/;

const noVolumes: MountedVolumes = {
  paths: new Map(),
  readOnly: new Set(),
  renewAtMs: Number.POSITIVE_INFINITY,
};

interface MountedVolume {
  readonly path: string;
  readonly readOnly?: boolean;
  readonly renewAtMs?: number;
}

/** Makes pods' volumes on disk, below `<rootDir>/pods/<uid>/volumes` as upstream lays them out. */
export class VolumeManager {
  readonly #options: VolumeManagerOptions;
  readonly #tokens: TokenSource;
  /** Folders that are known to be in memory. */
  readonly #mounted = new Set<string>();
  #serial = 0;

  constructor(options: VolumeManagerOptions) {
    this.#options = options;
    this.#tokens = new TokenSource(options.client, options.clock);
  }

  podDir(podUid: string): string {
    return join(this.#options.rootDir, "pods", podUid);
  }

  /** Where a volume of the pod's own is. */
  emptyDir(podUid: string, volume: string): string {
    return join(this.podDir(podUid), "volumes", "kubernetes.io~empty-dir", volume);
  }

  /**
   * Where a part of a volume of the pod is, for the mount of that number in a container; made where it does not exist. Rejects when it leads
   * out of the volume.
   */
  async subPath(podUid: string, mount: SubPathMount): Promise<string> {
    const { volume, volumePath, container, index, subPath } = mount;
    if (!this.#options.inMemory) return subPathOf(volumePath, subPath);
    const target = join(this.podDir(podUid), subPathFolder, volume, container, String(index));
    await bindSubPath(volumePath, subPath, target);
    return target;
  }

  /** Makes or refreshes all volumes; idempotent. Rejects with VolumeError. */
  async mount(pod: Pod, facts: DownwardFacts, signal: AbortSignal): Promise<MountedVolumes> {
    const volumes = specOf(pod).volumes ?? [];
    if (volumes.length === 0) return noVolumes;
    const paths = new Map<string, string>();
    const readOnly = new Set<string>();
    let renewAtMs = Number.POSITIVE_INFINITY;
    for (const volume of volumes) {
      try {
        const mounted = await this.#mountOne(pod, volume, facts, signal);
        paths.set(volume.name, mounted.path);
        if (mounted.readOnly) readOnly.add(volume.name);
        renewAtMs = Math.min(renewAtMs, mounted.renewAtMs ?? renewAtMs);
      } catch (error) {
        signal.throwIfAborted();
        const why = error instanceof Error ? error.message : String(error);
        throw new VolumeError(`MountVolume.SetUp failed for volume "${volume.name}" : ${why}`, { cause: error });
      }
    }
    return { paths, readOnly, renewAtMs };
  }

  /** Removes the volumes of a pod that has ended, and keeps what its status is made of. What a hostPath names stays. */
  async tearDown(podUid: string, signal: AbortSignal): Promise<void> {
    await this.#remove(podUid, join(this.podDir(podUid), "volumes"), signal);
  }

  /** Removes everything of a pod that is gone. What a hostPath names stays. */
  async unmount(podUid: string, signal: AbortSignal): Promise<void> {
    await this.#remove(podUid, this.podDir(podUid), signal);
  }

  async #remove(podUid: string, path: string, signal: AbortSignal): Promise<void> {
    this.#tokens.forget(podUid);
    await removeSubPaths(this.podDir(podUid));
    await this.#options.csi.tearDown(podUid, signal);
    for (const point of await mountPointsBelow(path)) if (inMemoryVolume.test(point)) await unmount(point);
    for (const point of this.#mounted) if (point.startsWith(`${path}/`)) this.#mounted.delete(point);
    // What is mounted is not the pod's: it would be emptied.
    const [mounted] = await mountPointsBelow(path);
    if (mounted !== undefined) throw new Error(`${mounted} is still mounted`);
    await rm(path, { recursive: true, force: true });
  }

  async #mountOne(pod: Pod, volume: Volume, facts: DownwardFacts, signal: AbortSignal): Promise<MountedVolume> {
    const { objects } = this.#options;
    const { uid } = pod.metadata;
    const place = (plugin: string): string => join(this.podDir(uid), "volumes", `kubernetes.io~${plugin}`, volume.name);
    const projection = await projectVolume(volume, { pod, objects, tokens: this.#tokens, facts, signal });
    const fsGroup = specOf(pod).securityContext?.fsGroup;
    if (projection !== undefined) {
      const path = place(pluginOf(volume));
      // Nothing secret is written to a disk.
      if (volume.configMap === undefined) await this.#putInMemory(path);
      const stamp = `${new Date(this.#options.clock.now()).toISOString().replace(/[^0-9]/g, "_")}${this.#serial++}`;
      await writeAtomically(path, projection.files, { stamp, group: fsGroup });
      return { path, readOnly: true, renewAtMs: projection.renewAtMs };
    }
    if (volume.emptyDir !== undefined) {
      const path = this.emptyDir(uid, volume.name);
      await mkdir(path, { recursive: true });
      await this.#medium(path, volume.emptyDir, pod);
      await chmod(path, fsGroup === undefined ? 0o777 : 0o2777);
      if (fsGroup !== undefined && process.getuid?.() === 0) await chown(path, 0, fsGroup);
      return { path };
    }
    if (volume.hostPath !== undefined) return { path: await hostPath(volume.hostPath) };
    if (volume.persistentVolumeClaim !== undefined) {
      const { claimName, readOnly = false } = volume.persistentVolumeClaim;
      return { path: await this.#claim(pod, await this.#claimOf(pod, claimName, signal), readOnly, signal), readOnly };
    }
    if (volume.ephemeral !== undefined) return { path: await this.#ownClaim(pod, volume.name, signal) };
    if (volume.csi !== undefined) return { path: await this.#options.csi.mountInline(pod, volume, signal) };
    const type = Object.keys(volume).filter((key) => key !== "name")[0] ?? "none";
    throw new Error(`volumes of type ${type} are not supported by this node`);
  }

  async #medium(path: string, source: EmptyDirVolumeSource, pod: Pod): Promise<void> {
    const { medium = "" } = source;
    if (medium === "") return;
    if (medium !== "Memory") throw new Error(`emptyDir medium ${medium} is not supported by this node`);
    await this.#putInMemory(path, memorySize(source, pod, this.#options.allocatableMemoryBytes));
  }

  async #putInMemory(path: string, sizeBytes?: number): Promise<void> {
    if (!this.#options.inMemory || this.#mounted.has(path)) return;
    await mkdir(path, { recursive: true });
    await mountMemory(path, sizeBytes);
    this.#mounted.add(path);
  }

  #claimOf(pod: Pod, name: string, signal: AbortSignal): Promise<PersistentVolumeClaim> {
    const { namespace } = pod.metadata;
    return this.#options.client.get(persistentVolumeClaims, { namespace, name }, { signal });
  }

  /** The claim that a controller made of the template in the pod; one of that name that others made is not the pod's. */
  async #ownClaim(pod: Pod, volume: string, signal: AbortSignal): Promise<string> {
    const { namespace, name, uid } = pod.metadata;
    const claim = await this.#claimOf(pod, `${name}-${volume}`, signal);
    if (!claim.metadata.ownerReferences?.some((owner) => owner.controller && owner.uid === uid)) {
      throw new Error(`PVC ${namespace}/${claim.metadata.name} was not created for pod ${namespace}/${name}`);
    }
    return this.#claim(pod, claim, false, signal);
  }

  /** Volumes that are folders of this host, or that a driver mounts. */
  async #claim(
    pod: Pod,
    { metadata, spec: wanted, status }: PersistentVolumeClaim,
    readOnly: boolean,
    signal: AbortSignal,
  ): Promise<string> {
    const { client } = this.#options;
    const name = wanted?.volumeName;
    if (!name || status?.phase !== "Bound") throw new Error(`PVC ${metadata.namespace}/${metadata.name} is not bound`);
    const volume = await client.get(persistentVolumes, { name }, { signal });
    const { spec } = volume;
    if (spec?.csi !== undefined) return this.#options.csi.mountPersistent(pod, volume, readOnly, signal);
    if (spec?.hostPath !== undefined) return hostPath({ type: "DirectoryOrCreate", ...spec.hostPath });
    if (spec?.local !== undefined) return hostPath({ path: spec.local.path, type: "" });
    throw new Error(`PersistentVolume ${name} is neither hostPath nor local nor of CSI`);
  }
}

function pluginOf(volume: Volume): string {
  if (volume.configMap) return "configmap";
  if (volume.secret) return "secret";
  return volume.downwardAPI ? "downward-api" : "projected";
}

/** Checks, and for the ...OrCreate types makes, what a hostPath names. */
async function hostPath({ path, type }: HostPathVolumeSource): Promise<string> {
  if (!type) return path;
  const found = await stat(path).catch(() => undefined);
  if (type === "DirectoryOrCreate") {
    if (found === undefined) await mkdir(path, { recursive: true, mode: 0o755 });
    else if (!found.isDirectory()) throw new Error(`hostPath type check failed: ${path} is not a directory`);
    return path;
  }
  if (type === "FileOrCreate") {
    if (found === undefined) {
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, "", { mode: 0o644, flag: "a" });
    } else if (!found.isFile()) throw new Error(`hostPath type check failed: ${path} is not a file`);
    return path;
  }
  const checks: Readonly<Record<string, readonly [boolean | undefined, string]>> = {
    Directory: [found?.isDirectory(), "a directory"],
    File: [found?.isFile(), "a file"],
    Socket: [found?.isSocket(), "a socket file"],
    CharDevice: [found?.isCharacterDevice(), "a character device"],
    BlockDevice: [found?.isBlockDevice(), "a block device"],
  };
  const check = Object.hasOwn(checks, type) ? checks[type] : undefined;
  if (check === undefined) throw new Error(`${type} is an invalid volume type`);
  if (!check[0]) throw new Error(`hostPath type check failed: ${path} is not ${check[1]}`);
  return path;
}
