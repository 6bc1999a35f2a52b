import { type Clock, realClock, sleep } from "../../internal/clock.js";
import { type Logger, silentLogger } from "../../internal/logger.js";
import type {
  Container,
  ContainerConfig,
  ContainerEvent,
  ContainerFilter,
  ContainerResources,
  ContainerStats,
  ContainerStatus,
} from "../container.js";
import { isRuntimeError, RuntimeError } from "../errors.js";
import type {
  CallOptions,
  ExecSyncResult,
  Runtime,
  RuntimeCondition,
  RuntimeStatus,
  RuntimeVersion,
} from "../runtime.js";
import type { PodSandbox, PodSandboxConfig, PodSandboxStatus, SandboxFilter } from "../sandbox.js";
import type { AttachOptions, ExecOptions, RemoteStream } from "../streams.js";
import { containerOf, containerStatusOf, eventOf, sandboxOf, sandboxStatusOf, statsOf } from "./answers.js";
import { removeEmptyCgroup } from "./cgroups.js";
import { CriChannel } from "./channel.js";
import { CriImages } from "./cri-images.js";
import { property } from "./property.js";
import { containerFilter, containerRequest, resourcesRequest, sandboxFilter, sandboxRequest } from "./requests.js";

export interface CriRuntimeOptions {
  /** Path of the runtime's socket, or `unix://` before it. */
  readonly socket: string;
  readonly clock?: Clock | undefined;
  readonly logger?: Logger | undefined;
}

/** As upstream: a sandbox may have to pull its image. */
const sandboxTimeoutMs = 240_000;
const slackMs = 120_000;
const removeTries = 5;
const firstRetryMs = 100;

/**
 * A runtime that speaks the Container Runtime Interface v1 on a socket: containerd 1.6 and later. Its containers outlive this object, and
 * disposing closes the connection only. exec, attach and port-forward are served by the runtime itself, at a URL.
 * Without GetContainerEvents (containerd 1.6) `events` throws `unimplemented`.
 */
export class CriRuntime extends CriImages implements Runtime {
  readonly #clock: Clock;
  readonly #logger: Logger;
  /** Only the listing of containers says whose they are, and it never changes. */
  readonly #sandboxOf = new Map<string, string>();

  constructor({ socket, clock = realClock, logger = silentLogger }: CriRuntimeOptions) {
    super(new CriChannel(socket.startsWith("unix:") ? socket : `unix://${socket}`));
    this.#clock = clock;
    this.#logger = logger;
  }

  async version(options?: CallOptions): Promise<RuntimeVersion> {
    const { runtimeName, runtimeVersion, runtimeApiVersion } = await this.channel.call("Version", {}, options);
    return { name: runtimeName, version: runtimeVersion, apiVersion: runtimeApiVersion };
  }

  async status(options?: CallOptions): Promise<RuntimeStatus> {
    const { status, runtimeHandlers, features } = await this.channel.call("Status", {}, options);
    const conditions: RuntimeCondition[] = [];
    for (const { type, ...condition } of status?.conditions ?? []) {
      if (type === "RuntimeReady" || type === "NetworkReady") conditions.push({ type, ...condition });
    }
    const handlers = runtimeHandlers.map(({ name, features: of }) => ({
      name,
      recursiveReadOnlyMounts: of?.recursiveReadOnlyMounts ?? false,
    }));
    return { conditions, handlers, supplementalGroupsPolicy: features?.supplementalGroupsPolicy };
  }

  async updatePodCidr(podCidr: string, options?: CallOptions): Promise<void> {
    await this.channel.call("UpdateRuntimeConfig", { runtimeConfig: { networkConfig: { podCidr } } }, options);
  }

  async runPodSandbox(config: PodSandboxConfig, { signal }: CallOptions = {}): Promise<string> {
    const request = { config: sandboxRequest(config), runtimeHandler: config.runtimeHandler ?? "" };
    const { podSandboxId } = await this.channel.call("RunPodSandbox", request, { signal, timeoutMs: sandboxTimeoutMs });
    return podSandboxId;
  }

  async stopPodSandbox(podSandboxId: string, options?: CallOptions): Promise<void> {
    await this.#persistently(() => this.channel.call("StopPodSandbox", { podSandboxId }, options), options);
  }

  async removePodSandbox(podSandboxId: string, options?: CallOptions): Promise<void> {
    const parent = await this.#cgroupParent(podSandboxId, options);
    await this.stopPodSandbox(podSandboxId, options);
    await this.#persistently(() => this.channel.call("RemovePodSandbox", { podSandboxId }, options), options);
    for (const [id, owner] of this.#sandboxOf) if (owner === podSandboxId) this.#sandboxOf.delete(id);
    if (parent !== undefined) await removeEmptyCgroup(parent);
  }

  async podSandboxStatus(podSandboxId: string, options?: CallOptions): Promise<PodSandboxStatus> {
    const { status } = await this.channel.call("PodSandboxStatus", { podSandboxId }, options);
    if (status === null) throw new RuntimeError("not-found", `no sandbox ${podSandboxId}`);
    return sandboxStatusOf(status);
  }

  async listPodSandboxes(filter: SandboxFilter = {}, options?: CallOptions): Promise<readonly PodSandbox[]> {
    const { items } = await this.channel.call("ListPodSandbox", { filter: sandboxFilter(filter) }, options);
    return items.map(sandboxOf);
  }

  async createContainer(
    podSandboxId: string,
    config: ContainerConfig,
    sandbox: PodSandboxConfig,
    options?: CallOptions,
  ): Promise<string> {
    const request = { podSandboxId, config: containerRequest(config), sandboxConfig: sandboxRequest(sandbox) };
    const { containerId } = await this.channel.call("CreateContainer", request, options);
    this.#sandboxOf.set(containerId, podSandboxId);
    return containerId;
  }

  async startContainer(containerId: string, options?: CallOptions): Promise<void> {
    await this.channel.call("StartContainer", { containerId }, options);
  }

  async stopContainer(containerId: string, timeoutSeconds: number, options: CallOptions = {}): Promise<void> {
    const request = { containerId, timeout: timeoutSeconds };
    const limits = { ...options, timeoutMs: timeoutSeconds * 1000 + slackMs };
    await this.#persistently(() => this.channel.call("StopContainer", request, limits), options);
  }

  async removeContainer(containerId: string, options?: CallOptions): Promise<void> {
    await this.#persistently(() => this.channel.call("RemoveContainer", { containerId }, options), options);
    this.#sandboxOf.delete(containerId);
  }

  async listContainers(filter: ContainerFilter = {}, options?: CallOptions): Promise<readonly Container[]> {
    const { containers } = await this.channel.call("ListContainers", { filter: containerFilter(filter) }, options);
    return containers.map(containerOf);
  }

  async containerStatus(containerId: string, options?: CallOptions): Promise<ContainerStatus> {
    const { status } = await this.channel.call("ContainerStatus", { containerId }, options);
    if (status === null) throw new RuntimeError("not-found", `no container ${containerId}`);
    return containerStatusOf(status, await this.#ownerOf(containerId, options));
  }

  async updateContainerResources(
    containerId: string,
    resources: ContainerResources,
    options?: CallOptions,
  ): Promise<void> {
    const request = { containerId, linux: resourcesRequest(resources) };
    await this.channel.call("UpdateContainerResources", request, options);
  }

  async reopenContainerLog(containerId: string, options?: CallOptions): Promise<void> {
    await this.channel.call("ReopenContainerLog", { containerId }, options);
  }

  async execSync(
    containerId: string,
    command: readonly string[],
    timeoutSeconds: number,
    { signal }: CallOptions = {},
  ): Promise<ExecSyncResult> {
    const request = { containerId, cmd: command, timeout: timeoutSeconds };
    const timeoutMs = timeoutSeconds > 0 ? timeoutSeconds * 1000 + slackMs : Number.POSITIVE_INFINITY;
    const { exitCode, stdout, stderr } = await this.channel.call("ExecSync", request, { signal, timeoutMs });
    return { exitCode, stdout, stderr };
  }

  /** The process lives with the connection to the URL: `options.signal` ends this call alone. */
  async exec(containerId: string, options: ExecOptions): Promise<RemoteStream> {
    const { command, signal, ...streams } = options;
    const { url } = await this.channel.call("Exec", { containerId, cmd: command, ...flagsOf(streams) }, { signal });
    return { kind: "url", url };
  }

  async attach(containerId: string, { signal, ...streams }: AttachOptions): Promise<RemoteStream> {
    const { url } = await this.channel.call("Attach", { containerId, ...flagsOf(streams) }, { signal });
    return { kind: "url", url };
  }

  async portForward(podSandboxId: string, ports: readonly number[], options?: CallOptions): Promise<RemoteStream> {
    const { url } = await this.channel.call("PortForward", { podSandboxId, port: ports }, options);
    return { kind: "url", url };
  }

  async containerStats(containerId: string, options?: CallOptions): Promise<ContainerStats> {
    const { stats } = await this.channel.call("ContainerStats", { containerId }, options);
    if (stats === null) throw new RuntimeError("not-found", `no statistics of container ${containerId}`);
    return statsOf(stats, await this.#ownerOf(containerId, options));
  }

  async listContainerStats(filter: ContainerFilter = {}, options?: CallOptions): Promise<readonly ContainerStats[]> {
    const { id = "", sandboxId = "", labels = {} } = filter;
    const request = { filter: { id, podSandboxId: sandboxId, labelSelector: labels } };
    const [{ stats }, containers] = await Promise.all([
      this.channel.call("ListContainerStats", request, options),
      this.listContainers(filter, options),
    ]);
    const owners = new Map(containers.map((container) => [container.id, container.sandboxId]));
    return stats.flatMap((each) => {
      const owner = owners.get(each.attributes?.id ?? "");
      return owner === undefined ? [] : [statsOf(each, owner)];
    });
  }

  async *events(signal: AbortSignal): AsyncIterable<ContainerEvent> {
    for await (const event of this.channel.events(signal)) yield eventOf(event);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.channel.close();
  }

  async #ownerOf(containerId: string, options?: CallOptions): Promise<string> {
    const known = this.#sandboxOf.get(containerId);
    if (known !== undefined) return known;
    const [container] = await this.listContainers({ id: containerId }, options);
    if (container === undefined) throw new RuntimeError("not-found", `no container ${containerId}`);
    this.#sandboxOf.set(containerId, container.sandboxId);
    return container.sandboxId;
  }

  /** Of containerd's own record of how the sandbox was made; other runtimes keep it elsewhere, and clean up after themselves. */
  async #cgroupParent(podSandboxId: string, options?: CallOptions): Promise<string | undefined> {
    try {
      const { info } = await this.channel.call("PodSandboxStatus", { podSandboxId, verbose: true }, options);
      const details: unknown = JSON.parse(info.info ?? "{}");
      const parent = property(property(property(details, "config"), "linux"), "cgroup_parent");
      return typeof parent === "string" && parent !== "" ? parent : undefined;
    } catch (error) {
      if (error instanceof SyntaxError || isRuntimeError(error)) return undefined;
      throw error;
    }
  }

  /** What is gone is a success; what fails while a task or its network is just going away succeeds soon after. */
  async #persistently(work: () => Promise<unknown>, { signal }: CallOptions = {}): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        await work();
        return;
      } catch (error) {
        if (isRuntimeError(error, "not-found")) return;
        const passing = isRuntimeError(error, "internal") || isRuntimeError(error, "unavailable");
        if (!passing || attempt === removeTries) throw error;
        this.#logger.debug("trying again to stop or remove", { attempt, error });
      }
      await sleep(this.#clock, firstRetryMs * 2 ** (attempt - 1), signal);
      signal?.throwIfAborted();
    }
  }
}

function flagsOf({ tty = false, stdin = false, stdout = false, stderr = false }: AttachOptions): object {
  return { tty, stdin, stdout, stderr: stderr && !tty };
}
