import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rm, rmdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import {
  type CSIDriver,
  csiDrivers,
  isStatusError,
  type PersistentVolume,
  type Pod,
  secrets as secretsResource,
  type Volume,
  volumeAttachments,
} from "../../api/index.js";
import type { Client } from "../../client/index.js";
import { mountPointsBelow } from "../../internal/mounts.js";
import { specOf } from "../pod/containers.js";
import type { CsiDrivers } from "./csi-drivers.js";
import { giveToGroup } from "./fs-group.js";
import type { VolumeRequest } from "./plugin.js";

export interface CsiVolumesOptions {
  readonly client: Client;
  readonly drivers: CsiDrivers;
  readonly nodeName: string;
  /** The node's folder. */
  readonly rootDir: string;
}

/** What is kept beside a volume, for the agent that has to take it down. */
interface VolumeData {
  readonly driver: string;
  readonly volumeHandle: string;
  readonly staged: boolean;
}

interface Source {
  readonly name: string;
  readonly driver: string;
  readonly volumeHandle: string;
  readonly fsType: string;
  readonly readonly: boolean;
  readonly accessModes: readonly string[];
  readonly mountFlags: readonly string[];
  readonly attributes: Readonly<Record<string, string>>;
  readonly stageSecret?: SecretName | undefined;
  readonly publishSecret?: SecretName | undefined;
  readonly ephemeral: boolean;
}

interface SecretName {
  readonly name?: string | undefined;
  readonly namespace?: string | undefined;
}

const dataFile = "vol_data.json";
const noContext: Readonly<Record<string, string>> = {};

/** Volumes of CSI drivers in pods, where upstream has them: `pods/<uid>/volumes/kubernetes.io~csi/<name>/mount`. */
export class CsiVolumes {
  readonly #own: CsiVolumesOptions;

  constructor(options: CsiVolumesOptions) {
    this.#own = options;
  }

  /** Mounts what a PersistentVolume names, and gives where. Done again it changes nothing. */
  async mountPersistent(
    pod: Pod,
    { metadata, spec }: PersistentVolume,
    readonly: boolean,
    signal: AbortSignal,
  ): Promise<string> {
    const { csi } = spec ?? {};
    if (csi === undefined) throw new Error(`PersistentVolume ${metadata.name} is not of CSI`);
    if (spec?.volumeMode === "Block") throw new Error("raw block volumes are not supported by this node");
    const source: Source = {
      name: metadata.name,
      driver: csi.driver,
      volumeHandle: csi.volumeHandle,
      fsType: csi.fsType ?? "",
      readonly: readonly || (csi.readOnly ?? false),
      accessModes: spec?.accessModes ?? [],
      mountFlags: spec?.mountOptions ?? [],
      attributes: csi.volumeAttributes ?? {},
      stageSecret: csi.nodeStageSecretRef,
      publishSecret: csi.nodePublishSecretRef,
      ephemeral: false,
    };
    return this.#mount(pod, source, signal);
  }

  /** Mounts a volume that is the pod's own, which its driver makes and removes. */
  async mountInline(pod: Pod, { name, csi }: Volume, signal: AbortSignal): Promise<string> {
    if (csi === undefined) throw new Error(`volume ${name} is not of CSI`);
    const handle = createHash("sha256").update(
      `${name}${pod.metadata.namespace}${pod.metadata.name}${pod.metadata.uid}`,
    );
    const { namespace } = pod.metadata;
    const secret = csi.nodePublishSecretRef?.name;
    const source: Source = {
      name,
      driver: csi.driver,
      volumeHandle: `csi-${handle.digest("hex")}`,
      fsType: csi.fsType ?? "",
      readonly: csi.readOnly ?? false,
      accessModes: ["ReadWriteOnce"],
      mountFlags: [],
      attributes: csi.volumeAttributes ?? {},
      ...(secret ? { publishSecret: { name: secret, namespace } } : {}),
      ephemeral: true,
    };
    return this.#mount(pod, source, signal);
  }

  /** Takes all of a pod down. Rejects, and leaves the rest, when a driver cannot: nothing of a volume is removed that is still mounted. */
  async tearDown(podUid: string, signal: AbortSignal): Promise<void> {
    const folder = this.#podFolder(podUid);
    for (const name of await readdir(folder).catch(() => [])) {
      const place = join(folder, name);
      const data = await readData(place);
      const target = join(place, "mount");
      if (data !== undefined) {
        const node = this.#own.drivers.get(data.driver);
        await node.unpublish(data.volumeHandle, target, signal);
        await rmdir(target).catch(ignoreMissing);
        await rm(join(place, dataFile), { force: true });
        if (data.staged) await this.#unstage(data, signal);
      }
      await rmdir(place).catch(ignoreMissing);
    }
    await rmdir(folder).catch(ignoreMissing);
  }

  async #mount(pod: Pod, source: Source, signal: AbortSignal): Promise<string> {
    const place = join(this.#podFolder(pod.metadata.uid), source.name);
    const targetPath = join(place, "mount");
    if ((await readData(place)) !== undefined && (await mountPointsBelow(targetPath)).includes(targetPath))
      return targetPath;
    const node = this.#own.drivers.get(source.driver);
    const [driver, capabilities] = await Promise.all([this.#driver(source.driver, signal), node.capabilities(signal)]);
    checkModes(source, driver);
    const publishContext = source.ephemeral ? noContext : await this.#attached(source, driver, signal);
    const staged = !source.ephemeral && capabilities.has("STAGE_UNSTAGE_VOLUME");
    const staging = this.#staging(source);
    const fsGroup = specOf(pod).securityContext?.fsGroup;
    const byDriver = capabilities.has("VOLUME_MOUNT_GROUP");
    const request: VolumeRequest = {
      volumeId: source.volumeHandle,
      publishContext,
      stagingTargetPath: staged ? staging : "",
      accessMode: accessMode(source.accessModes[0] ?? "ReadWriteOnce", capabilities),
      mount: {
        fsType: source.fsType,
        mountFlags: source.mountFlags,
        volumeMountGroup: byDriver && fsGroup !== undefined ? String(fsGroup) : "",
      },
      secrets: noContext,
      volumeContext: source.attributes,
    };
    // Written first: what is mounted has to be found again, whatever happens.
    await mkdir(place, { recursive: true });
    const data: VolumeData = { driver: source.driver, volumeHandle: source.volumeHandle, staged };
    await writeFile(join(place, dataFile), JSON.stringify(data), { mode: 0o600 });
    if (staged) {
      await mkdir(staging, { recursive: true });
      await node.stage({ ...request, secrets: await this.#secrets(source.stageSecret, signal) }, signal);
    }
    await node.publish(
      {
        ...request,
        targetPath,
        readonly: source.readonly,
        secrets: await this.#secrets(source.publishSecret, signal),
        volumeContext: { ...source.attributes, ...podContext(pod, source, driver) },
      },
      signal,
    );
    if (fsGroup !== undefined && !byDriver && !source.readonly && ownedByGroup(source, driver)) {
      await giveToGroup(targetPath, fsGroup);
    }
    return targetPath;
  }

  async #unstage(data: VolumeData, signal: AbortSignal): Promise<void> {
    for (const podUid of await readdir(join(this.#own.rootDir, "pods")).catch(() => [])) {
      const folder = this.#podFolder(podUid);
      for (const name of await readdir(folder).catch(() => [])) {
        const other = await readData(join(folder, name));
        if (other?.driver === data.driver && other.volumeHandle === data.volumeHandle) return;
      }
    }
    const staging = this.#staging(data);
    await this.#own.drivers.get(data.driver).unstage(data.volumeHandle, staging, signal);
    await rmdir(staging).catch(ignoreMissing);
    await rmdir(dirname(staging)).catch(ignoreMissing);
  }

  #podFolder(podUid: string): string {
    return join(this.#own.rootDir, "pods", podUid, "volumes", "kubernetes.io~csi");
  }

  #staging({ driver, volumeHandle }: Pick<Source, "driver" | "volumeHandle">): string {
    const name = createHash("sha256").update(volumeHandle).digest("hex");
    return join(this.#own.rootDir, "plugins", "kubernetes.io", "csi", driver, name, "globalmount");
  }

  /** Undefined: nobody has told of the driver, and it is as by default. */
  async #driver(name: string, signal: AbortSignal): Promise<CSIDriver | undefined> {
    try {
      return await this.#own.client.get(csiDrivers, { name }, { signal });
    } catch (error) {
      if (isStatusError(error, "NotFound")) return undefined;
      throw error;
    }
  }

  /** What the attachment of the volume to this node says, where there has to be one. */
  async #attached(
    source: Source,
    driver: CSIDriver | undefined,
    signal: AbortSignal,
  ): Promise<Readonly<Record<string, string>>> {
    if (driver?.spec.attachRequired === false) return noContext;
    const { client, nodeName } = this.#own;
    const hash = createHash("sha256").update(`${source.volumeHandle}${source.driver}${nodeName}`).digest("hex");
    const name = `csi-${hash}`;
    const found = await client.get(volumeAttachments, { name }, { signal }).catch((error: unknown) => {
      if (isStatusError(error, "NotFound")) return undefined;
      throw error;
    });
    if (found?.status?.attached !== true) throw new Error(`volume attachment is being waited for: ${name}`);
    return found.status.attachmentMetadata ?? {};
  }

  async #secrets(ref: SecretName | undefined, signal: AbortSignal): Promise<Readonly<Record<string, string>>> {
    if (!ref?.name) return noContext;
    const { data = {} } = await this.#own.client.get(
      secretsResource,
      { namespace: ref.namespace ?? "", name: ref.name },
      { signal },
    );
    const texts = Object.entries(data).map(([key, text]) => [key, Buffer.from(text, "base64").toString()]);
    return Object.fromEntries(texts);
  }
}

function checkModes(source: Source, driver: CSIDriver | undefined): void {
  const modes = driver?.spec.volumeLifecycleModes ?? ["Persistent"];
  const mode = source.ephemeral ? "Ephemeral" : "Persistent";
  if (!modes.includes(mode)) {
    throw new Error(
      `volume mode "${mode}" not supported by driver ${source.driver} (only supports ${JSON.stringify(modes)})`,
    );
  }
  if (driver?.spec.tokenRequests?.length) {
    throw new Error(
      `driver ${source.driver} asks for tokens of service accounts, which this node does not give to drivers`,
    );
  }
}

/** Of whom the volume is, for drivers that want to know. */
function podContext(pod: Pod, { ephemeral }: Source, driver: CSIDriver | undefined): Readonly<Record<string, string>> {
  if (driver?.spec.podInfoOnMount !== true) return noContext;
  const { name, namespace = "", uid } = pod.metadata;
  return {
    "csi.storage.k8s.io/pod.name": name,
    "csi.storage.k8s.io/pod.namespace": namespace,
    "csi.storage.k8s.io/pod.uid": uid,
    "csi.storage.k8s.io/serviceAccount.name": specOf(pod).serviceAccountName ?? "",
    "csi.storage.k8s.io/ephemeral": String(ephemeral),
  };
}

/** By the driver's fsGroupPolicy; by default only what has a file system of its own and one writer. */
function ownedByGroup({ fsType, accessModes }: Source, driver: CSIDriver | undefined): boolean {
  const policy = driver?.spec.fsGroupPolicy ?? "ReadWriteOnceWithFSType";
  if (policy === "File") return true;
  return (
    policy === "ReadWriteOnceWithFSType" &&
    fsType !== "" &&
    accessModes.every((mode) => mode.startsWith("ReadWriteOnce"))
  );
}

function accessMode(mode: string, capabilities: ReadonlySet<string>): string {
  if (mode === "ReadWriteMany") return "MULTI_NODE_MULTI_WRITER";
  if (mode === "ReadOnlyMany") return "MULTI_NODE_READER_ONLY";
  if (!capabilities.has("SINGLE_NODE_MULTI_WRITER_CAPABILITY")) return "SINGLE_NODE_WRITER";
  return mode === "ReadWriteOncePod" ? "SINGLE_NODE_SINGLE_WRITER" : "SINGLE_NODE_MULTI_WRITER";
}

async function readData(place: string): Promise<VolumeData | undefined> {
  const text = await readFile(join(place, dataFile), "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as VolumeData;
  } catch {
    // Cut off by a crash before anything was mounted.
    return undefined;
  }
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
}
