import { builtinDescriptions } from "../api/describe/index.js";
import { type KubeObject, namespaces, type Pod, pods, type ResourceType } from "../api/index.js";
import { builtinStrategies } from "../api/kinds/index.js";
import { ApiServer } from "../apiserver/index.js";
import { type Client, createClient, type EventRecorder } from "../client/index.js";
import { seededRandom } from "../internal/random.js";
import { VirtualClock } from "../internal/virtual-clock.js";
import { createScheduler, type Scheduler, type SchedulerOptions } from "../scheduler/index.js";
import { MemoryStore } from "../store/index.js";

/** An API server on a clock that stands still, and a scheduler for it once `schedule` was called. */
export class SchedulerWorld {
  readonly clock: VirtualClock = new VirtualClock();
  /** `name reason: message`, as they came. */
  readonly events: string[] = [];
  readonly #stop = new AbortController();
  readonly #running: Promise<unknown>[] = [];
  readonly recorder: EventRecorder = {
    event: (about, _type, reason, message) => {
      const name = "metadata" in about ? about.metadata?.name : about.name;
      this.events.push(`${name} ${reason}: ${message}`);
    },
  };
  client!: Client;
  scheduler!: Scheduler;

  static async start(): Promise<SchedulerWorld> {
    const world = new SchedulerWorld();
    const { clock } = world;
    const resources = builtinDescriptions(builtinStrategies);
    const server = new ApiServer({ store: new MemoryStore(), resources, clock, random: seededRandom(1) });
    await world.#started((ready) => server.component.run({ signal: world.#stop.signal, ready }));
    world.client = createClient(server.transport());
    const known = await world.client.list(namespaces);
    if (!known.items.some(({ metadata }) => metadata.name === "default")) {
      await world.client.create(namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name: "default" } });
    }
    return world;
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#running);
  }

  async schedule(options: Partial<SchedulerOptions> = {}): Promise<void> {
    const { client, clock } = this;
    this.scheduler = createScheduler({ client, clock, random: seededRandom(2), events: this.recorder, ...options });
    await this.#started((ready) => this.scheduler.run({ signal: this.#stop.signal, ready }));
  }

  async create<T extends KubeObject>(resource: ResourceType<T>, object: T): Promise<T> {
    const { uid: _, ...metadata } = object.metadata;
    return this.client.create(resource, { ...object, metadata });
  }

  async pod(name: string): Promise<Pod> {
    return this.client.get(pods, { namespace: "default", name });
  }

  async bound(name: string): Promise<boolean> {
    return Boolean((await this.pod(name)).spec?.nodeName);
  }

  async unschedulable(name: string): Promise<boolean> {
    const { conditions = [] } = (await this.pod(name)).status ?? {};
    return conditions.some(({ type, status }) => type === "PodScheduled" && status === "False");
  }

  #started(run: (ready: () => void) => Promise<unknown>): Promise<void> {
    return new Promise((ready, fail) => {
      this.#running.push(run(ready).catch(fail));
    });
  }
}

/** Turns of the event loop until it holds; a hang is the test's time-out. */
export async function until(holds: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setImmediate(resolve));
}
