import { randomBytes } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { AsyncQueue } from "../../internal/async-queue.js";
import { type Clock, realClock } from "../../internal/clock.js";
import { type Logger, silentLogger } from "../../internal/logger.js";
import { formatResolvConf } from "../../internal/resolv-conf.js";
import type {
  Container,
  ContainerConfig,
  ContainerEvent,
  ContainerFilter,
  ContainerResources,
  ContainerStats,
  ContainerStatus,
} from "../container.js";
import { RuntimeError } from "../errors.js";
import { IpPool } from "../ip-pool.js";
import type { CallOptions, ExecSyncResult, Runtime, RuntimeStatus, RuntimeVersion } from "../runtime.js";
import type { PodSandbox, PodSandboxConfig, PodSandboxStatus, SandboxFilter, StringMap } from "../sandbox.js";
import type { AttachOptions, ExecOptions, PortForwardStream, ProcessStream } from "../streams.js";
import { ImageCatalogue, type ProcessImage } from "./catalogue.js";
import { defaultPath, type Isolation, probeIsolation } from "./isolation.js";
import { launchOf } from "./launch.js";
import { type ContainerRecord, ProcessContainer } from "./process-container.js";
import { attachTo, execIn } from "./process-streams.js";
import { processesOf, usageOf } from "./procfs.js";
import { webServerSource } from "./web-image.js";

export interface ProcessRuntimeOptions {
  /** Folder for its state; a second runtime on the same one takes over what the first left running. */
  readonly rootDir: string;
  /** Range of pods' addresses, within 127.0.0.0/8. Default 127.44.0.0/16. */
  readonly podCidr?: string | undefined;
  readonly clock?: Clock | undefined;
  readonly logger?: Logger | undefined;
  /** Where programs are looked for. */
  readonly path?: string | undefined;
  /** Default: this process's own. */
  readonly nodePath?: string | undefined;
  readonly images?: Readonly<Record<string, ProcessImage>> | undefined;
  readonly imagesDir?: string | undefined;
  /** Default: `mount` where the host permits it. */
  readonly isolation?: Isolation | undefined;
}

interface SandboxRecord {
  readonly id: string;
  readonly config: PodSandboxConfig;
  readonly createdAtMs: number;
  readonly ip: string;
  readonly state: "ready" | "notready";
}

const maxExecBytes = 16 * 1024 * 1024;
const eventLimit = 10_000;

/**
 * A runtime without containers: each is a process group of the host, run by an ordinary user, with a loopback address of its pod's own
 * in `POD_IP` and `HOST`. It needs Linux, a shell and coreutils. Containers share the host's files, processes and network;
 * limits on CPU and memory, users and capabilities are not enforced. What runs outlives this object: `release` lets
 * go of it, disposing ends it.
 */
export class ProcessRuntime extends ImageCatalogue implements Runtime {
  readonly #options: ProcessRuntimeOptions;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #ips: IpPool;
  readonly #isolation: Isolation;
  readonly #sandboxes = new Map<string, SandboxRecord>();
  readonly #containers = new Map<string, ProcessContainer>();
  readonly #watchers = new Set<AsyncQueue<ContainerEvent>>();

  private constructor(options: ProcessRuntimeOptions, isolation: Isolation) {
    const { rootDir, images, imagesDir, nodePath = process.execPath } = options;
    super({ nodePath, dataDir: join(rootDir, "data"), images, imagesDir });
    this.#options = options;
    this.#clock = options.clock ?? realClock;
    this.#logger = options.logger ?? silentLogger;
    this.#ips = new IpPool(options.podCidr ?? "127.44.0.0/16");
    this.#isolation = isolation;
  }

  /** Opens the state in `rootDir` and takes up what runs. */
  static async open(options: ProcessRuntimeOptions): Promise<ProcessRuntime> {
    if (process.platform !== "linux") throw new RuntimeError("unimplemented", "the process runtime needs Linux");
    const { rootDir, podCidr = "127.44.0.0/16" } = options;
    if (!podCidr.startsWith("127."))
      throw new RuntimeError("invalid", `pod range ${podCidr} is not within 127.0.0.0/8`);
    for (const name of ["sandboxes", "containers", "data"]) await mkdir(join(rootDir, name), { recursive: true });
    await writeFile(join(rootDir, "data", "web.mjs"), webServerSource);
    const runtime = new ProcessRuntime(options, options.isolation ?? (await probeIsolation(join(rootDir, "data"))));
    await runtime.#restore();
    return runtime;
  }

  get isolation(): Isolation {
    return this.#isolation;
  }

  async version(): Promise<RuntimeVersion> {
    return { name: "process", version: "1.0.0", apiVersion: "v1" };
  }

  async status(): Promise<RuntimeStatus> {
    return {
      conditions: [
        { type: "RuntimeReady", status: true, reason: "", message: "" },
        { type: "NetworkReady", status: true, reason: "", message: "" },
      ],
    };
  }

  async updatePodCidr(): Promise<void> {
    // Loopback addresses come from this runtime's own range.
  }

  async runPodSandbox(config: PodSandboxConfig): Promise<string> {
    if (config.runtimeHandler) {
      throw new RuntimeError("invalid", `no runtime for ${JSON.stringify(config.runtimeHandler)} is configured`);
    }
    const hostNetwork = config.security.namespaces.network === "node";
    const ip = hostNetwork ? "127.0.0.1" : this.#ips.allocate();
    const record: SandboxRecord = { id: newId(), config, createdAtMs: this.#clock.now(), ip, state: "ready" };
    try {
      if (config.logDirectory !== undefined) await mkdir(config.logDirectory, { recursive: true });
      await this.#save(record);
    } catch (error) {
      if (!hostNetwork) this.#ips.release(ip);
      throw new RuntimeError("internal", `cannot make the sandbox: ${String(error)}`, { cause: error });
    }
    this.#emit("started", record.id, record);
    return record.id;
  }

  async stopPodSandbox(sandboxId: string): Promise<void> {
    const record = this.#sandboxes.get(sandboxId);
    if (record === undefined || record.state === "notready") return;
    await Promise.all(this.#of(sandboxId).map((container) => container.stop(0)));
    const stopped: SandboxRecord = { ...record, state: "notready" };
    await this.#save(stopped);
    this.#ips.release(record.ip);
    this.#emit("stopped", sandboxId, stopped);
  }

  async removePodSandbox(sandboxId: string): Promise<void> {
    await this.stopPodSandbox(sandboxId);
    const record = this.#sandboxes.get(sandboxId);
    if (record === undefined) return;
    for (const container of this.#of(sandboxId)) await this.removeContainer(container.record.id);
    this.#sandboxes.delete(sandboxId);
    await rm(this.#sandboxFile(sandboxId), { force: true });
    this.#emit("deleted", sandboxId, record);
  }

  async podSandboxStatus(sandboxId: string): Promise<PodSandboxStatus> {
    const record = this.#sandbox(sandboxId);
    const networkMode = record.config.security.namespaces.network;
    const ips = networkMode === "node" || record.state !== "ready" ? [] : [record.ip];
    return { ...summaryOf(record), ips, networkMode };
  }

  async listPodSandboxes(filter: SandboxFilter = {}): Promise<readonly PodSandbox[]> {
    return [...this.#sandboxes.values()]
      .map(summaryOf)
      .filter(
        ({ id, state, labels }) =>
          (filter.id ?? id) === id && (filter.state ?? state) === state && matches(filter.labels, labels),
      );
  }

  async createContainer(sandboxId: string, config: ContainerConfig, sandbox: PodSandboxConfig): Promise<string> {
    const { ip, state } = this.#sandbox(sandboxId);
    if (state !== "ready") throw new RuntimeError("failed-precondition", `sandbox ${sandboxId} is not ready`);
    if ((config.devices ?? []).length > 0 || (config.cdiDevices ?? []).length > 0) {
      throw new RuntimeError("unimplemented", "the process runtime has no devices for containers");
    }
    const { name, attempt } = config.metadata;
    for (const { record } of this.#of(sandboxId)) {
      if (record.config.metadata.name === name && record.config.metadata.attempt === attempt) {
        throw new RuntimeError("already-exists", `container ${name} attempt ${attempt} exists in sandbox ${sandboxId}`);
      }
    }
    const image = this.definition(config.image);
    const id = newId();
    const dir = this.#containerDir(id);
    const path = this.#options.path ?? defaultPath;
    const rootDir = join(dir, "root");
    const record: ContainerRecord = {
      id,
      sandboxId,
      config: await this.#withResolvConf(config, sandbox, dir),
      logDirectory: sandbox.logDirectory,
      launch: launchOf({ containerId: id, image, config, sandbox, ip, rootDir, path }),
      isolation: this.#isolation,
      createdAtMs: this.#clock.now(),
      startedAtMs: 0,
    };
    const container = this.#add(record);
    await container.prepare();
    this.#emit("created", id, this.#sandbox(sandboxId));
    return id;
  }

  /** Over the host's file, where a container has a view of its own; else it resolves as the host does. */
  async #withResolvConf(config: ContainerConfig, { dns }: PodSandboxConfig, dir: string): Promise<ContainerConfig> {
    const containerPath = "/etc/resolv.conf";
    const mounted = config.mounts.some((mount) => mount.containerPath === containerPath);
    if (dns === undefined || mounted || this.#isolation === "none") return config;
    const hostPath = join(dir, "resolv.conf");
    await mkdir(dir, { recursive: true });
    await writeFile(hostPath, formatResolvConf(dns));
    return { ...config, mounts: [...config.mounts, { hostPath, containerPath, readonly: true }] };
  }

  async startContainer(containerId: string): Promise<void> {
    await this.#container(containerId).start();
  }

  async stopContainer(containerId: string, timeoutSeconds: number): Promise<void> {
    await this.#containers.get(containerId)?.stop(timeoutSeconds * 1000);
  }

  async removeContainer(containerId: string): Promise<void> {
    const container = this.#containers.get(containerId);
    if (container === undefined) return;
    await container.remove();
    this.#containers.delete(containerId);
    const sandbox = this.#sandboxes.get(container.record.sandboxId);
    if (sandbox !== undefined) this.#emit("deleted", containerId, sandbox);
  }

  async listContainers(filter: ContainerFilter = {}): Promise<readonly Container[]> {
    return this.#find(filter).map((container) => container.summary());
  }

  async containerStatus(containerId: string): Promise<ContainerStatus> {
    return this.#container(containerId).status();
  }

  async updateContainerResources(containerId: string, resources: ContainerResources): Promise<void> {
    await this.#container(containerId).update(resources);
  }

  async reopenContainerLog(containerId: string): Promise<void> {
    this.#container(containerId).output.reopenLog();
  }

  async execSync(
    containerId: string,
    command: readonly string[],
    timeoutSeconds: number,
    { signal }: CallOptions = {},
  ): Promise<ExecSyncResult> {
    const stop = new AbortController();
    const limit = signal === undefined ? stop.signal : AbortSignal.any([stop.signal, signal]);
    const container = this.#container(containerId);
    const stream = await execIn(container, { command, stdout: true, stderr: true, signal: limit });
    let late = false;
    const timer =
      timeoutSeconds > 0
        ? this.#clock.setTimeout(() => {
            late = true;
            stop.abort();
          }, timeoutSeconds * 1000)
        : undefined;
    const [stdout, stderr] = [collect(stream.stdout), collect(stream.stderr)];
    const { exitCode, error } = await stream.exit;
    timer?.cancel();
    if (late) throw new RuntimeError("deadline-exceeded", `command timed out after ${timeoutSeconds}s`);
    signal?.throwIfAborted();
    if (error !== undefined) throw new RuntimeError("internal", error);
    return { exitCode, stdout: stdout(), stderr: stderr() };
  }

  async exec(containerId: string, options: ExecOptions): Promise<ProcessStream> {
    return execIn(this.#container(containerId), options);
  }

  async attach(containerId: string, options: AttachOptions): Promise<ProcessStream> {
    return attachTo(this.#container(containerId), options);
  }

  async portForward(sandboxId: string): Promise<PortForwardStream> {
    const { ip } = this.#sandbox(sandboxId);
    return {
      kind: "local",
      connect: (port, signal) =>
        new Promise((resolve, reject) => {
          const socket = connect({ host: ip, port, allowHalfOpen: true });
          const abort = (): void => void socket.destroy(new Error("aborted"));
          signal?.addEventListener("abort", abort, { once: true });
          socket.once("connect", () => {
            signal?.removeEventListener("abort", abort);
            resolve(socket);
          });
          socket.once("error", (error) => {
            const message = `failed to connect to ${ip}:${port} inside the pod: ${error.message}`;
            reject(new RuntimeError("unavailable", message, { cause: error }));
          });
        }),
    };
  }

  async containerStats(containerId: string): Promise<ContainerStats> {
    return this.#statsOf(this.#container(containerId));
  }

  async listContainerStats(filter: ContainerFilter = {}): Promise<readonly ContainerStats[]> {
    return Promise.all(this.#find({ ...filter, state: "running" }).map((container) => this.#statsOf(container)));
  }

  events(signal: AbortSignal): AsyncIterable<ContainerEvent> {
    const queue = new AsyncQueue<ContainerEvent>(eventLimit, () => this.#watchers.delete(queue));
    this.#watchers.add(queue);
    const stop = (): void => {
      this.#watchers.delete(queue);
      queue.end();
    };
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
    return queue;
  }

  /** Lets go of everything; what runs goes on and waits for the next runtime on this folder. */
  async release(): Promise<void> {
    for (const watcher of this.#watchers) watcher.end();
    this.#watchers.clear();
    for (const container of this.#containers.values()) container.release();
    this.#containers.clear();
    this.#sandboxes.clear();
  }

  /** Ends and removes everything. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#sandboxes.keys()].map((id) => this.removePodSandbox(id)));
    await this.release();
    for (const name of ["sandboxes", "containers", "data"]) {
      await rm(join(this.#options.rootDir, name), { recursive: true, force: true });
    }
  }

  async #restore(): Promise<void> {
    for (const name of await readdir(join(this.#options.rootDir, "sandboxes"))) {
      const record = await readRecord<SandboxRecord>(join(this.#options.rootDir, "sandboxes", name));
      if (record === undefined) continue;
      this.#sandboxes.set(record.id, record);
      if (record.state === "ready") this.#ips.reserve(record.ip);
    }
    for (const id of await readdir(join(this.#options.rootDir, "containers"))) {
      const record = await readRecord<ContainerRecord>(join(this.#containerDir(id), "container.json"));
      if (record === undefined || !this.#sandboxes.has(record.sandboxId)) {
        await rm(this.#containerDir(id), { recursive: true, force: true });
        continue;
      }
      await this.#add(record).adopt();
    }
  }

  #add(record: ContainerRecord): ProcessContainer {
    const container = new ProcessContainer(record, {
      dir: this.#containerDir(record.id),
      clock: this.#clock,
      onChange: ({ record: { id, sandboxId } }, type) => {
        this.#logger.debug("a container changed", { id, type });
        const sandbox = this.#sandboxes.get(sandboxId);
        if (sandbox !== undefined) this.#emit(type, id, sandbox);
      },
    });
    this.#containers.set(record.id, container);
    return container;
  }

  async #statsOf(container: ProcessContainer): Promise<ContainerStats> {
    const { id, sandboxId, config } = container.record;
    const { cpuNanoSeconds, rssBytes } = await usageOf(container.state === "running" ? await processesOf(id) : []);
    return {
      id,
      sandboxId,
      metadata: config.metadata,
      labels: config.labels,
      timestampMs: this.#clock.now(),
      cpuUsageNanoSeconds: cpuNanoSeconds,
      memoryWorkingSetBytes: rssBytes,
      memoryRssBytes: rssBytes,
    };
  }

  #find(filter: ContainerFilter): ProcessContainer[] {
    return [...this.#containers.values()].filter((container) => {
      const { id, sandboxId, config } = container.record;
      if ((filter.id ?? id) !== id || (filter.sandboxId ?? sandboxId) !== sandboxId) return false;
      return (filter.state ?? container.state) === container.state && matches(filter.labels, config.labels);
    });
  }

  #emit(type: ContainerEvent["type"], containerId: string, { id, config }: SandboxRecord): void {
    const podUid = config.metadata.uid;
    const event: ContainerEvent = { type, containerId, sandboxId: id, podUid, createdAtMs: this.#clock.now() };
    for (const watcher of this.#watchers) {
      if (watcher.push(event)) continue;
      watcher.end(new RuntimeError("unavailable", "the reader of container events is too slow"));
      this.#watchers.delete(watcher);
    }
  }

  async #save(record: SandboxRecord): Promise<void> {
    const path = this.#sandboxFile(record.id);
    await writeFile(`${path}.tmp`, JSON.stringify(record), { mode: 0o600 });
    await rename(`${path}.tmp`, path);
    this.#sandboxes.set(record.id, record);
  }

  #sandboxFile(id: string): string {
    return join(this.#options.rootDir, "sandboxes", `${id}.json`);
  }

  #containerDir(id: string): string {
    return join(this.#options.rootDir, "containers", id);
  }

  #of(sandboxId: string): ProcessContainer[] {
    return [...this.#containers.values()].filter(({ record }) => record.sandboxId === sandboxId);
  }

  #sandbox(id: string): SandboxRecord {
    const record = this.#sandboxes.get(id);
    if (record === undefined) throw new RuntimeError("not-found", `sandbox ${id} not found`);
    return record;
  }

  #container(id: string): ProcessContainer {
    const container = this.#containers.get(id);
    if (container === undefined) throw new RuntimeError("not-found", `container ${id} not found`);
    return container;
  }
}

function newId(): string {
  return randomBytes(32).toString("hex");
}

function summaryOf({ id, config, state, createdAtMs }: SandboxRecord): PodSandbox {
  const { metadata, labels, annotations } = config;
  return { id, metadata, state, createdAtMs, labels, annotations };
}

function matches(wanted: StringMap | undefined, labels: StringMap): boolean {
  return Object.entries(wanted ?? {}).every(([key, value]) => Object.hasOwn(labels, key) && labels[key] === value);
}

async function readRecord<T>(path: string): Promise<T | undefined> {
  const text = await readFile(path, "utf8").catch(() => undefined);
  if (text === undefined || path.endsWith(".tmp")) return undefined;
  try {
    return JSON.parse(text) as T;
  } catch {
    // Cut off in the middle of the first write: nothing was started from it.
    return undefined;
  }
}

/** Gathers a stream; the returned function gives what came, up to the limit. */
function collect(stream: NodeJS.ReadableStream | undefined): () => Buffer {
  const chunks: Buffer[] = [];
  let bytes = 0;
  stream?.on("data", (chunk: Buffer) => {
    if (bytes < maxExecBytes) chunks.push(chunk.subarray(0, maxExecBytes - bytes));
    bytes += chunk.length;
  });
  return () => Buffer.concat(chunks);
}
