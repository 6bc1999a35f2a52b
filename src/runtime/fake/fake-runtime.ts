import { AsyncQueue } from "../../internal/async-queue.js";
import type { Clock } from "../../internal/clock.js";
import type {
  Container,
  ContainerConfig,
  ContainerEvent,
  ContainerFilter,
  ContainerResources,
  ContainerStats,
  ContainerStatus,
} from "../container.js";
import type { LogRecord } from "../cri-log.js";
import { RuntimeError } from "../errors.js";
import { IpPool } from "../ip-pool.js";
import type { ExecSyncResult, Runtime, RuntimeStatus, RuntimeVersion } from "../runtime.js";
import type { PodSandbox, PodSandboxConfig, PodSandboxStatus, SandboxFilter, StringMap } from "../sandbox.js";
import type { AttachOptions, ExecOptions, PortForwardStream, ProcessStream } from "../streams.js";
import type { FakeScript } from "./behavior.js";
import { FakeContainer } from "./fake-container.js";
import { FakeImages } from "./fake-images.js";
import { fakeAttach, fakeExec } from "./fake-streams.js";

export interface FakeRuntimeOptions {
  readonly clock: Clock;
  /** Where pods' addresses come from, one block or one of each family with a comma between them. Default 10.244.0.0/16. */
  readonly podCidr?: string | undefined;
  /** What containers do; absent, or undefined for one: it runs until it is stopped. */
  readonly script?: FakeScript | undefined;
  readonly pullMs?: number | undefined;
  readonly pullError?: ((reference: string) => string | undefined) | undefined;
  /** The message that making a sandbox fails with. */
  readonly sandboxError?: ((config: PodSandboxConfig) => string | undefined) | undefined;
  /** What it says that it can do. Default: nothing. */
  readonly features?: Pick<RuntimeStatus, "handlers" | "supplementalGroupsPolicy"> | undefined;
  /** The message that changing a container's resources fails with. */
  readonly updateError?: ((config: ContainerConfig, resources: ContainerResources) => string | undefined) | undefined;
}

interface FakeSandbox {
  readonly id: string;
  readonly config: PodSandboxConfig;
  readonly createdAtMs: number;
  readonly ips: readonly string[];
  state: "ready" | "notready";
  readonly containers: Map<string, FakeContainer>;
}

const uidLabel = "io.kubernetes.pod.uid";
const eventLimit = 100_000;

/**
 * A runtime that runs nothing: sandboxes and containers are records on the injected clock. What it was told is lost with
 * the object. Cheap enough for tens of thousands of pods in a process.
 */
export class FakeRuntime extends FakeImages implements Runtime {
  readonly #options: FakeRuntimeOptions;
  readonly #clock: Clock;
  readonly #sandboxes = new Map<string, FakeSandbox>();
  readonly #sandboxesByPod = new Map<string, FakeSandbox[]>();
  readonly #containers = new Map<string, FakeContainer>();
  readonly #watchers = new Set<AsyncQueue<ContainerEvent>>();
  #pools: readonly IpPool[];
  #serial = 0;

  constructor(options: FakeRuntimeOptions) {
    super(options);
    this.#options = options;
    this.#clock = options.clock;
    this.#pools = poolsOf(options.podCidr ?? "10.244.0.0/16");
  }

  async version(): Promise<RuntimeVersion> {
    return { name: "fake", version: "1.0.0", apiVersion: "v1" };
  }

  async status(): Promise<RuntimeStatus> {
    return {
      conditions: [
        { type: "RuntimeReady", status: true, reason: "", message: "" },
        { type: "NetworkReady", status: true, reason: "", message: "" },
      ],
      ...this.#options.features,
    };
  }

  async updatePodCidr(podCidr: string): Promise<void> {
    const own = this.#pools.map(({ cidr }) => cidr).join();
    if (podCidr !== "" && podCidr !== own && this.#options.podCidr === undefined) {
      this.#pools = poolsOf(podCidr);
    }
  }

  async runPodSandbox(config: PodSandboxConfig): Promise<string> {
    const why = this.#options.sandboxError?.(config);
    if (why !== undefined) throw new RuntimeError("internal", why);
    const id = this.#newId();
    const hostNetwork = config.security.namespaces.network === "node";
    const sandbox: FakeSandbox = {
      id,
      config,
      createdAtMs: this.#clock.now(),
      ips: hostNetwork ? [] : this.#pools.map((pool) => pool.allocate()),
      state: "ready",
      containers: new Map(),
    };
    this.#sandboxes.set(id, sandbox);
    const { uid } = config.metadata;
    const ofPod = this.#sandboxesByPod.get(uid);
    if (ofPod === undefined) this.#sandboxesByPod.set(uid, [sandbox]);
    else ofPod.push(sandbox);
    this.#emit("started", id, sandbox);
    return id;
  }

  async stopPodSandbox(sandboxId: string): Promise<void> {
    const sandbox = this.#sandboxes.get(sandboxId);
    if (sandbox === undefined || sandbox.state === "notready") return;
    for (const container of sandbox.containers.values()) container.stop(0);
    sandbox.state = "notready";
    for (const ip of sandbox.ips) for (const pool of this.#pools) pool.release(ip);
    this.#emit("stopped", sandboxId, sandbox);
  }

  async removePodSandbox(sandboxId: string): Promise<void> {
    await this.stopPodSandbox(sandboxId);
    const sandbox = this.#sandboxes.get(sandboxId);
    if (sandbox === undefined) return;
    for (const id of sandbox.containers.keys()) this.#containers.delete(id);
    this.#sandboxes.delete(sandboxId);
    const { uid } = sandbox.config.metadata;
    const rest = (this.#sandboxesByPod.get(uid) ?? []).filter((other) => other !== sandbox);
    if (rest.length === 0) this.#sandboxesByPod.delete(uid);
    else this.#sandboxesByPod.set(uid, rest);
    this.#emit("deleted", sandboxId, sandbox);
  }

  async podSandboxStatus(sandboxId: string): Promise<PodSandboxStatus> {
    const sandbox = this.#sandbox(sandboxId);
    return {
      ...summaryOf(sandbox),
      ips: sandbox.state === "ready" ? sandbox.ips : [],
      networkMode: sandbox.config.security.namespaces.network,
    };
  }

  async listPodSandboxes(filter: SandboxFilter = {}): Promise<readonly PodSandbox[]> {
    const uid = filter.labels?.[uidLabel];
    const candidates = uid === undefined ? this.#sandboxes.values() : (this.#sandboxesByPod.get(uid) ?? []);
    const found: PodSandbox[] = [];
    for (const sandbox of candidates) {
      if (filter.id !== undefined && filter.id !== sandbox.id) continue;
      if (filter.state !== undefined && filter.state !== sandbox.state) continue;
      if (!matches(filter.labels, sandbox.config.labels)) continue;
      found.push(summaryOf(sandbox));
    }
    return found;
  }

  async createContainer(sandboxId: string, config: ContainerConfig): Promise<string> {
    const sandbox = this.#sandbox(sandboxId);
    if (sandbox.state !== "ready") {
      throw new RuntimeError("failed-precondition", `sandbox ${sandboxId} is not ready`);
    }
    for (const { config: other } of sandbox.containers.values()) {
      if (other.metadata.name === config.metadata.name && other.metadata.attempt === config.metadata.attempt) {
        const what = `${config.metadata.name} attempt ${config.metadata.attempt}`;
        throw new RuntimeError("already-exists", `container ${what} exists in sandbox ${sandboxId}`);
      }
    }
    const id = this.#newId();
    const container = new FakeContainer(id, sandboxId, config, {
      sandbox: sandbox.config,
      behavior: this.#options.script?.({ sandbox: sandbox.config, config }),
      clock: this.#clock,
      onExit: (exited) => this.#emit("stopped", exited.id, sandbox),
    });
    sandbox.containers.set(id, container);
    this.#containers.set(id, container);
    this.#emit("created", id, sandbox);
    return id;
  }

  async startContainer(containerId: string): Promise<void> {
    const container = this.#container(containerId);
    container.start();
    this.#emit("started", containerId, this.#sandbox(container.sandboxId));
  }

  async stopContainer(containerId: string, timeoutSeconds: number): Promise<void> {
    await this.#containers.get(containerId)?.stop(timeoutSeconds * 1000);
  }

  async removeContainer(containerId: string): Promise<void> {
    const container = this.#containers.get(containerId);
    if (container === undefined) return;
    container.stop(0);
    this.#containers.delete(containerId);
    const sandbox = this.#sandboxes.get(container.sandboxId);
    if (sandbox === undefined) return;
    sandbox.containers.delete(containerId);
    this.#emit("deleted", containerId, sandbox);
  }

  async listContainers(filter: ContainerFilter = {}): Promise<readonly Container[]> {
    return this.#find(filter).map((container) => container.summary());
  }

  async containerStatus(containerId: string): Promise<ContainerStatus> {
    return this.#container(containerId).status();
  }

  async updateContainerResources(containerId: string, resources: ContainerResources): Promise<void> {
    const container = this.#container(containerId);
    const why = this.#options.updateError?.(container.config, resources);
    if (why !== undefined) throw new RuntimeError("internal", why);
    container.update(resources);
  }

  async reopenContainerLog(containerId: string): Promise<void> {
    this.#container(containerId);
  }

  async *readLog(
    containerId: string,
    { follow, signal }: { readonly follow: boolean; readonly signal?: AbortSignal | undefined },
  ): AsyncIterable<LogRecord> {
    const container = this.#container(containerId);
    yield* container.log();
    if (!follow || signal?.aborted) return;
    const aborted = new Promise<void>((resolve) => {
      signal?.addEventListener("abort", () => resolve(), { once: true });
    });
    await Promise.race([container.ended(), aborted]);
  }

  async execSync(containerId: string, command: readonly string[], timeoutSeconds: number): Promise<ExecSyncResult> {
    const container = this.#running(containerId);
    const work = Promise.resolve(container.behavior.exec?.(command, "") ?? { exitCode: 0 });
    const result = await this.#within(work, timeoutSeconds * 1000);
    return {
      exitCode: result.exitCode,
      stdout: Buffer.from("stdout" in result ? (result.stdout ?? "") : ""),
      stderr: Buffer.from("stderr" in result ? (result.stderr ?? "") : ""),
    };
  }

  async exec(containerId: string, options: ExecOptions): Promise<ProcessStream> {
    return fakeExec(this.#running(containerId), options);
  }

  async attach(containerId: string, options: AttachOptions): Promise<ProcessStream> {
    return fakeAttach(this.#running(containerId), options);
  }

  async portForward(sandboxId: string): Promise<PortForwardStream> {
    const sandbox = this.#sandbox(sandboxId);
    return {
      kind: "local",
      async connect(port) {
        for (const container of sandbox.containers.values()) {
          const connection = container.state === "running" ? container.behavior.connect?.(port) : undefined;
          if (connection !== undefined) return connection;
        }
        throw new RuntimeError("unavailable", `nothing listens on port ${port}`);
      },
    };
  }

  async containerStats(containerId: string): Promise<ContainerStats> {
    return this.#statsOf(this.#container(containerId));
  }

  async listContainerStats(filter: ContainerFilter = {}): Promise<readonly ContainerStats[]> {
    return this.#find({ ...filter, state: "running" }).map((container) => this.#statsOf(container));
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

  /** Ends a running container as if its process had died. */
  kill(containerId: string, exitCode = 137, reason = "Error"): void {
    this.#running(containerId).finish(exitCode, reason);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const watcher of this.#watchers) watcher.end();
    this.#watchers.clear();
    for (const id of [...this.#sandboxes.keys()]) await this.removePodSandbox(id);
  }

  #find(filter: ContainerFilter): FakeContainer[] {
    const uid = filter.labels?.[uidLabel];
    const found: FakeContainer[] = [];
    const visit = (container: FakeContainer): void => {
      if (filter.id !== undefined && filter.id !== container.id) return;
      if (filter.sandboxId !== undefined && filter.sandboxId !== container.sandboxId) return;
      if (filter.state !== undefined && filter.state !== container.state) return;
      if (matches(filter.labels, container.config.labels)) found.push(container);
    };
    if (uid === undefined) this.#containers.forEach(visit);
    else for (const sandbox of this.#sandboxesByPod.get(uid) ?? []) sandbox.containers.forEach(visit);
    return found;
  }

  #statsOf(container: FakeContainer): ContainerStats {
    const { metadata, labels } = container.config;
    return {
      id: container.id,
      sandboxId: container.sandboxId,
      metadata,
      labels,
      timestampMs: this.#clock.now(),
      cpuUsageNanoSeconds: 0,
      memoryWorkingSetBytes: 0,
      ...container.behavior.usage?.(),
    };
  }

  async #within<T>(work: Promise<T>, timeoutMs: number): Promise<T> {
    if (timeoutMs === 0) return work;
    let timer: { cancel(): void } | undefined;
    const late = new Promise<never>((_, reject) => {
      const error = new RuntimeError("deadline-exceeded", `command timed out after ${timeoutMs / 1000}s`);
      timer = this.#clock.setTimeout(() => reject(error), timeoutMs);
    });
    return Promise.race([work, late]).finally(() => timer?.cancel());
  }

  #emit(type: ContainerEvent["type"], containerId: string, sandbox: FakeSandbox): void {
    if (this.#watchers.size === 0) return;
    const event: ContainerEvent = {
      type,
      containerId,
      sandboxId: sandbox.id,
      podUid: sandbox.config.metadata.uid,
      createdAtMs: this.#clock.now(),
    };
    for (const watcher of this.#watchers) {
      if (watcher.push(event)) continue;
      watcher.end(new RuntimeError("unavailable", "the reader of container events is too slow"));
      this.#watchers.delete(watcher);
    }
  }

  #newId(): string {
    return (++this.#serial).toString(16).padStart(64, "0");
  }

  #sandbox(id: string): FakeSandbox {
    const sandbox = this.#sandboxes.get(id);
    if (sandbox === undefined) throw new RuntimeError("not-found", `sandbox ${id} not found`);
    return sandbox;
  }

  #container(id: string): FakeContainer {
    const container = this.#containers.get(id);
    if (container === undefined) throw new RuntimeError("not-found", `container ${id} not found`);
    return container;
  }

  #running(id: string): FakeContainer {
    const container = this.#container(id);
    if (container.state !== "running") {
      throw new RuntimeError("failed-precondition", `container ${id} is ${container.state}, not running`);
    }
    return container;
  }
}

function summaryOf(sandbox: FakeSandbox): PodSandbox {
  const { metadata, labels, annotations } = sandbox.config;
  return { id: sandbox.id, metadata, state: sandbox.state, createdAtMs: sandbox.createdAtMs, labels, annotations };
}

function matches(wanted: StringMap | undefined, labels: StringMap): boolean {
  for (const key in wanted) if (labels[key] !== wanted[key]) return false;
  return true;
}

function poolsOf(podCidr: string): readonly IpPool[] {
  return podCidr.split(",").map((cidr) => new IpPool(cidr));
}
