import { setMaxListeners } from "node:events";
import { join } from "node:path";
import { type Node, type Pod, quantityValue, type Service, services as servicesResource } from "../api/index.js";
import { createEventRecorder, createInformer, type EventRecorder, type Informer } from "../client/index.js";
import { type Clock, realClock, sleep } from "../internal/clock.js";
import type { Component, ComponentContext } from "../internal/component.js";
import { type Logger, silentLogger } from "../internal/logger.js";
import { type Random, systemRandom } from "../internal/random.js";
import { readResolvConf } from "../internal/resolv-conf.js";
import type { ContainerEvent, RuntimeVersion } from "../runtime/index.js";
import { NodeAdmission } from "./admission.js";
import type { CsiDrivers } from "./csi/csi-drivers.js";
import { CsiVolumes } from "./csi/csi-volumes.js";
import type { DeviceManager } from "./devices/device-manager.js";
import { HostUsage } from "./eviction/host-usage.js";
import { defaultLogRotation, rotateLogs } from "./log-rotation.js";
import type { NodeAgentOptions } from "./options.js";
import { removeOrphans } from "./orphans.js";
import { openPlugins } from "./plugins.js";
import { type NodeContext, type NodeFacts, podEvent } from "./pod/context.js";
import { createHookRunner } from "./pod/hooks.js";
import { imageCredentials } from "./pod/image-credentials.js";
import { ImagePuller } from "./pod/image-puller.js";
import { onePerFamily } from "./pod/pod-addresses.js";
import type { PodRecord } from "./pod/pod-record.js";
import { PodWorker } from "./pod/pod-worker.js";
import { RestartBackoff } from "./pod/restart-backoff.js";
import { StatusWriter } from "./pod/status-writer.js";
import { ObjectWatcher } from "./pod-objects.js";
import { createPodSource, type PodSource } from "./pod-source.js";
import { createHollowProber, createProber } from "./probes/network-prober.js";
import { ProbeManager } from "./probes/probe-manager.js";
import { readHostFacts } from "./registration/host-facts.js";
import { keepNodeLease } from "./registration/lease.js";
import { addressesOf, type HostFacts, hollowHost, resourcesOf } from "./registration/node-object.js";
import { Registrar } from "./registration/registrar.js";
import { ResourceCheckpoint } from "./resize/checkpoint.js";
import { hostPodCgroups } from "./resize/pod-cgroups.js";
import { Resizes } from "./resize/resizes.js";
import { watchRuntime } from "./runtime-watcher.js";
import type { RunningNodeServer } from "./server/options.js";
import { mirrorAnnotation, StaticPods } from "./static-pods.js";
import { forbiddenSysctls } from "./sysctls.js";
import { Upkeep } from "./upkeep.js";
import { VolumeManager } from "./volumes/volume-manager.js";

export interface NodeAgent extends Component {
  readonly nodeName: string;
  /** The pods that this node works on, in no order. */
  pods(): readonly Pod[];
  /** Of the node's HTTPS server; undefined before it listens, or without one. */
  readonly serverPort: number | undefined;
}

const housekeepingMs = 10_000;
const hollowHousekeepingMs = 60_000;

/**
 * The kubelet's work on one node: registers it, keeps its Lease and status, and drives the runtime so that the pods bound to it
 * run. Stopping it leaves the pods running; started again, it adopts them.
 */
export function createNodeAgent(options: NodeAgentOptions): NodeAgent {
  return new Agent(options);
}

class Agent implements NodeAgent {
  readonly name: string;
  readonly nodeName: string;
  readonly dependencies: readonly string[] = [];
  readonly #options: NodeAgentOptions;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #logger: Logger;
  readonly #workers = new Map<string, PodWorker>();
  readonly #admission: NodeAdmission;
  #registrar: Registrar | undefined;
  #context: NodeContext | undefined;
  #objects: ObjectWatcher | undefined;
  #server: RunningNodeServer | undefined;
  #static: StaticPods | undefined;
  #upkeep: Upkeep | undefined;
  #devices: DeviceManager | undefined;
  #host: HostFacts = hollowHost;

  constructor(options: NodeAgentOptions) {
    this.#options = options;
    this.nodeName = options.nodeName;
    this.name = `node/${options.nodeName}`;
    this.#clock = options.clock ?? realClock;
    this.#random = options.random ?? systemRandom;
    this.#logger = options.logger ?? silentLogger;
    this.#admission = new NodeAdmission(
      () => this.#registrar?.node,
      () => this.#host.appArmor,
    );
  }

  get serverPort(): number | undefined {
    return this.#server?.port;
  }

  pods(): readonly Pod[] {
    return [...this.#workers.values()].map(({ record }) => record.pod);
  }

  async run({ signal, ready }: ComponentContext): Promise<void> {
    const stop = new AbortController();
    const running = AbortSignal.any([signal, stop.signal]);
    // Every pod and every request under way listens to it.
    setMaxListeners(0, running);
    const version = await this.#runtimeVersion(running);
    if (version === undefined) return;
    const { nodeName, client } = this.#options;
    const own = { client, clock: this.#clock, random: this.#random, logger: this.#logger };
    const recorder = this.#options.events
      ? undefined
      : createEventRecorder({ ...own, component: "kubelet", host: nodeName });
    const events = this.#options.events ?? recorder;
    const source = this.#options.podSource ?? createPodSource({ ...own, nodeName });
    const services = this.#serviceInformer();
    if (this.#options.rootDir !== undefined) this.#host = await readHostFacts();
    const registrar = this.#makeRegistrar(this.#host, version);
    this.#registrar = registrar;
    const resizes = await this.#openResizes(events ?? { event() {} });
    const { cgroupRoot, podCgroups } = this.#options;
    const cgroups = podCgroups ?? (cgroupRoot === undefined ? undefined : await hostPodCgroups());
    const plugins = await openPlugins(this.#options, () => this.#reportNode(running), running);
    const { drivers, devices, claims } = plugins;
    this.#devices = devices;
    const context = this.#makeContext(
      version,
      events ?? { event() {} },
      services,
      { resizes, cgroups, devices, claims },
      drivers,
      running,
    );
    this.#context = context;
    const upkeep = this.#makeUpkeep(context, running);
    this.#upkeep = upkeep;
    const tasks: Promise<unknown>[] = [devices?.run() ?? Promise.resolve()];
    try {
      await this.#startServer(context);
      await registrar.register(running);
      tasks.push(
        plugins.run(running),
        this.#options.podSource === undefined ? source.run(running) : Promise.resolve(),
        this.#options.services === undefined && services !== undefined ? services.run(running) : Promise.resolve(),
        registrar.run(running),
        keepNodeLease(this.#leaseOptions(registrar), running),
        this.#watchRuntime(running),
      );
      this.#static = this.#makeStaticPods(context, registrar);
      await this.#static?.load();
      const unsubscribe = await this.#subscribe(source, running);
      if (this.#static !== undefined) tasks.push(this.#static.run(running));
      // Not before all pods are known: what nobody wants is removed.
      resizes.retain(new Set(this.#workers.keys()));
      devices?.retain(new Set(this.#workers.keys()));
      if (claims !== undefined) tasks.push(claims.run(running, (podUid) => this.#workers.has(podUid)));
      resizes.start();
      tasks.push(this.#housekeep(running));
      if (upkeep !== undefined) tasks.push(upkeep.run(running));
      if (!running.aborted) ready();
      // A task that fails takes the whole agent down rather than leave it half alive.
      await Promise.race([Promise.all(tasks), aborted(running)]);
      unsubscribe();
    } finally {
      stop.abort();
      await Promise.allSettled(tasks);
      await Promise.allSettled([...this.#workers.values()].map((worker) => worker.settled()));
      context.probes.stop();
      resizes.stop();
      this.#workers.clear();
      await this.#server?.[Symbol.asyncDispose]();
      await recorder?.[Symbol.asyncDispose]();
    }
  }

  async #runtimeVersion(signal: AbortSignal): Promise<RuntimeVersion | undefined> {
    while (!signal.aborted) {
      try {
        return await this.#options.runtime.version({ signal });
      } catch (error) {
        if (signal.aborted) return undefined;
        this.#logger.warn("the container runtime does not answer", { error });
        await sleep(this.#clock, 1000, signal);
      }
    }
    return undefined;
  }

  #serviceInformer(): Informer<Service> | undefined {
    const { services, rootDir, client } = this.#options;
    if (services !== undefined || rootDir === undefined) return services;
    const own = { clock: this.#clock, random: this.#random, logger: this.#logger };
    return createInformer({ client, resource: servicesResource, ...own });
  }

  #leaseOptions(registrar: Registrar): Parameters<typeof keepNodeLease>[0] {
    const { client, nodeName, leaseDurationSeconds = 40 } = this.#options;
    const own = { clock: this.#clock, random: this.#random, logger: this.#logger };
    return { client, nodeName, durationSeconds: leaseDurationSeconds, node: () => registrar.node, ...own };
  }

  #makeRegistrar(host: HostFacts, version: RuntimeVersion): Registrar {
    return new Registrar({
      options: this.#options,
      host,
      version,
      clock: this.#clock,
      random: this.#random,
      logger: this.#logger,
      serverPort: () => this.#server?.port ?? 0,
      pressure: () => this.#upkeep?.conditions ?? new Set(),
      devices: () => this.#devices?.counts() ?? new Map(),
    });
  }

  #makeContext(
    version: RuntimeVersion,
    events: EventRecorder,
    services: Informer<Service> | undefined,
    more: Pick<NodeContext, "resizes" | "cgroups" | "devices" | "claims">,
    drivers: CsiDrivers | undefined,
    signal: AbortSignal,
  ): NodeContext {
    const { client, runtime, rootDir, clusterDns = [], clusterDomain = "cluster.local" } = this.#options;
    const { resolvConf = "/etc/resolv.conf" } = this.#options;
    const clock = this.#clock;
    const logger = this.#logger;
    const hollow = rootDir === undefined;
    const objects = new ObjectWatcher({
      client,
      clock,
      random: this.#random,
      logger,
      signal,
      onChange: (podUid) => this.#workers.get(podUid)?.kick(),
    });
    this.#objects = objects;
    const facts = this.#facts();
    return {
      ...more,
      client,
      runtime,
      runtimeName: version.name,
      clock,
      logger,
      events,
      images: new ImagePuller({ runtime, clock, credentials: hollow ? undefined : imageCredentials(objects) }),
      probes: new ProbeManager({
        prober: this.#options.prober ?? (hollow ? createHollowProber(runtime) : createProber(runtime)),
        clock,
        onTurn: (podUid) => this.#workers.get(podUid)?.kick(),
        event: (pod, fieldPath, type, reason, message) => podEvent({ events }, pod, type, reason, message, fieldPath),
      }),
      hooks: createHookRunner(runtime, clock, !hollow),
      backoff: new RestartBackoff(),
      objects,
      statuses: new StatusWriter({ client, clock, logger, signal }),
      volumes: drivers === undefined || hollow ? undefined : this.#makeVolumes(rootDir, drivers, objects, facts),
      logRoot: hollow ? undefined : (this.#options.logRoot ?? `${rootDir}/logs`),
      cgroupRoot: this.#options.cgroupRoot,
      network: { clusterDns, clusterDomain, hostDns: () => (hollow ? undefined : readResolvConf(resolvConf)) },
      signal,
      services: () => services?.list() ?? [],
      servicesReady: async (until) => services?.whenSynced(until),
      facts: () => facts,
      admit: (record) => {
        const { allowedUnsafeSysctls } = this.#options;
        const verdict =
          forbiddenSysctls(record.pod, allowedUnsafeSysctls) ??
          this.#upkeep?.admit(record.pod) ??
          this.#admission.admit(record.pod);
        if (verdict === undefined) more.resizes.admitted(record);
        return verdict;
      },
      readmit: (record) => this.#readmit(record, more.resizes),
      ended: (podUid) => {
        this.#admission.remove(podUid);
        more.devices?.release(podUid);
        more.resizes.remove(podUid);
        more.resizes.retry();
      },
      forget: (podUid) => this.#forget(podUid),
    };
  }

  #facts(): NodeFacts {
    const capacity = resourcesOf(this.#options);
    return {
      nodeName: this.nodeName,
      hostIps: onePerFamily(
        addressesOf(this.#options)
          .filter(({ type }) => type === "InternalIP")
          .map(({ address }) => address),
      ),
      allocatable: { ...capacity, ...this.#options.allocatable },
      memoryBytes: quantityValue(capacity.memory ?? "0"),
    };
  }

  async #startServer(context: NodeContext): Promise<void> {
    const { server, rootDir, client, runtime } = this.#options;
    if (server === undefined) return;
    const { startNodeServer } = await import("./server/node-server.js");
    this.#server = await startNodeServer({
      ...server,
      client,
      runtime,
      clock: this.#clock,
      logger: this.#logger,
      nodeName: this.nodeName,
      logRoot: context.logRoot ?? rootDir,
      records: () => [...this.#workers.values()].map(({ record }) => record),
      node: (): Node | undefined => this.#registrar?.node,
      counts: () => this.#upkeep?.counts ?? [],
      usage: () => this.#upkeep?.usage,
      signal: context.signal,
    });
  }

  async #subscribe(source: PodSource, signal: AbortSignal): Promise<() => void> {
    await source.whenSynced(signal).catch(() => {});
    if (signal.aborted) return () => {};
    return source.subscribe(this.nodeName, {
      set: (pod) => (isMirror(pod) ? this.#static?.setMirror(pod) : this.#set(pod)),
      remove: (pod) => {
        if (isMirror(pod)) this.#static?.removeMirror(pod);
        else this.#workers.get(pod.metadata.uid)?.remove();
      },
    });
  }

  #makeStaticPods(context: NodeContext, registrar: Registrar): StaticPods | undefined {
    const { staticPodDir: directory, client, nodeName } = this.#options;
    if (directory === undefined) return undefined;
    return new StaticPods({
      directory,
      client,
      nodeName,
      clock: this.#clock,
      logger: this.#logger,
      node: () => registrar.node,
      onSet: (pod) => this.#set(pod),
      onRemove: (pod) => this.#workers.get(pod.metadata.uid)?.remove(),
      onMirror: (podUid, mirror) => context.statuses.mirror(podUid, mirror),
    });
  }

  #set(pod: Pod): void {
    const { uid } = pod.metadata;
    const known = this.#workers.get(uid);
    if (known !== undefined) {
      known.update(pod);
      return;
    }
    if (this.#context === undefined) return;
    const worker = new PodWorker(this.#context, pod);
    this.#workers.set(uid, worker);
    if (pod.status?.startTime !== undefined) this.#readmit(worker.record, this.#context.resizes);
    if (this.#options.rootDir !== undefined) this.#objects?.register(pod);
    worker.kick();
  }

  #forget(podUid: string): void {
    this.#workers.delete(podUid);
    this.#admission.remove(podUid);
    this.#objects?.unregister(podUid);
    this.#context?.resizes.forget(podUid);
    this.#context?.resizes.retry();
  }

  /** Soon, rather than when it is due. */
  #reportNode(signal: AbortSignal): void {
    this.#registrar?.report(signal).catch((error: unknown) => {
      if (!signal.aborted) this.#logger.warn("cannot report the node's status", { error });
    });
  }

  #makeVolumes(rootDir: string, drivers: CsiDrivers, objects: ObjectWatcher, facts: NodeFacts): VolumeManager {
    const { client, nodeName, memoryVolumes = process.getuid?.() === 0 } = this.#options;
    return new VolumeManager({
      ...{ rootDir, client, objects, clock: this.#clock, inMemory: memoryVolumes },
      csi: new CsiVolumes({ client, drivers, nodeName, rootDir }),
      allocatableMemoryBytes: quantityValue(facts.allocatable.memory ?? "0"),
    });
  }

  #makeUpkeep(context: NodeContext, signal: AbortSignal): Upkeep | undefined {
    const { rootDir, runtime, usage, eviction = {}, imageCollection = {} } = this.#options;
    const { clock, logger, volumes, cgroups, cgroupRoot, logRoot } = context;
    const { volumesIntervalMs = 60_000 } = eviction;
    const host =
      rootDir === undefined || volumes === undefined || logRoot === undefined
        ? undefined
        : new HostUsage({
            ...{ runtime, clock, logger, rootDir, logRoot, cgroups, cgroupRoot, volumesIntervalMs },
            volumeDir: (podUid, volume) => volumes.emptyDir(podUid, volume),
          });
    const source = usage ?? host;
    if (source === undefined) return undefined;
    const about = { apiVersion: "v1", kind: "Node", name: this.nodeName, uid: this.nodeName };
    return new Upkeep({
      ...{ runtime, clock, logger, eviction, imageCollection },
      nodeName: this.nodeName,
      usage: source,
      records: () => [...this.#workers.values()].map(({ record }) => record),
      isStatic: (podUid) => this.#static?.has(podUid) ?? false,
      evict: async (podUid, how) => this.#workers.get(podUid)?.evict(how),
      nodeEvent: (type, reason, message) => context.events.event(about, type, reason, message),
      onConditions: () => this.#reportNode(signal),
    });
  }

  #readmit(record: PodRecord, resizes: Resizes): void {
    resizes.restore(record);
    this.#admission.add(record.allocated);
  }

  async #openResizes(events: EventRecorder): Promise<Resizes> {
    const { rootDir } = this.#options;
    const logger = this.#logger;
    const open = (name: string): Promise<ResourceCheckpoint> =>
      ResourceCheckpoint.open(rootDir === undefined ? undefined : join(rootDir, name), logger);
    return new Resizes({
      clock: this.#clock,
      logger,
      allocated: await open("allocated-resources.json"),
      actuated: await open("actuated-resources.json"),
      admit: (pod) => this.#admission.resize(pod),
      event: (pod, type, reason, message) => podEvent({ events }, pod, type, reason, message),
      onChange: (podUid) => this.#workers.get(podUid)?.kick(),
    });
  }

  #watchRuntime(signal: AbortSignal): Promise<void> {
    return watchRuntime(
      {
        runtime: this.#options.runtime,
        clock: this.#clock,
        logger: this.#logger,
        onEvent: (event: ContainerEvent) => this.#workers.get(event.podUid)?.runtimeEvent(event),
        onGap: () => {
          for (const worker of this.#workers.values()) {
            worker.record.dirty = true;
            worker.kick();
          }
        },
      },
      signal,
    );
  }

  /** Ends what the runtime holds of pods that this node has no business with any more. */
  async #housekeep(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        const { rootDir, runtime, logRotation = defaultLogRotation } = this.#options;
        const isKnown = (podUid: string): boolean => this.#workers.has(podUid);
        await removeOrphans({ runtime, logger: this.#logger, volumes: this.#context?.volumes, isKnown }, signal);
        if (rootDir !== undefined) await rotateLogs(runtime, this.#clock, logRotation, signal);
      } catch (error) {
        if (!signal.aborted) this.#logger.warn("housekeeping failed", { error });
      }
      await sleep(this.#clock, this.#options.rootDir === undefined ? hollowHousekeepingMs : housekeepingMs, signal);
    }
  }
}

function isMirror({ metadata }: Pod): boolean {
  return metadata.annotations !== undefined && Object.hasOwn(metadata.annotations, mirrorAnnotation);
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
