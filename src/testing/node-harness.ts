import { type Pod, type PodSpec, pods } from "../api/index.js";
import { type Client, createClient, type EventRecorder } from "../client/index.js";
import { seededRandom } from "../internal/random.js";
import { VirtualClock } from "../internal/virtual-clock.js";
import { createNodeAgent } from "../node/agent.js";
import type { NodeAgentOptions } from "../node/options.js";
import { FakeRuntime, type FakeRuntimeOptions } from "../runtime/index.js";
import { makePod } from "./builders.js";
import { FakeApi } from "./fake-api.js";

/** A hollow node on a fake API and a virtual clock, for the tests in this folder. */
export interface Harness extends AsyncDisposable {
  readonly clock: VirtualClock;
  readonly api: FakeApi;
  readonly client: Client;
  readonly runtime: FakeRuntime;
  readonly events: readonly string[];
  /** Makes a pod bound to the node. */
  create(name: string, spec?: Partial<PodSpec>, metadata?: Partial<Pod["metadata"]>): Promise<Pod>;
  get(name: string): Promise<Pod>;
  exists(name: string): Promise<boolean>;
  /** Stops the agent, as kill -9 would, and starts another on the same runtime. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export async function startHarness(
  runtimeOptions: Omit<FakeRuntimeOptions, "clock"> = {},
  agentOptions: Partial<NodeAgentOptions> = {},
): Promise<Harness> {
  const clock = new VirtualClock();
  const random = seededRandom(7);
  const api = new FakeApi({ clock, random });
  const client = createClient(api);
  const runtime = new FakeRuntime({ ...runtimeOptions, clock });
  const events: string[] = [];
  const recorder: EventRecorder = {
    event: (_about, type, reason, message) => events.push(`${type} ${reason} ${message}`),
  };
  let stop = new AbortController();
  let running: Promise<void> = Promise.resolve();
  const start = async (): Promise<void> => {
    stop = new AbortController();
    const agent = createNodeAgent({
      client,
      runtime,
      nodeName: "n1",
      clock,
      random,
      events: recorder,
      ...agentOptions,
    });
    running = agent.run({ signal: stop.signal, ready() {} });
    await clock.advance(1);
  };
  const end = async (): Promise<void> => {
    stop.abort();
    await clock.advance(0);
    await running;
  };
  await start();
  return {
    clock,
    api,
    client,
    runtime,
    events,
    async create(name, spec = {}, metadata = {}) {
      const pod = makePod(name, { nodeName: "n1" });
      const merged = { ...pod, spec: { ...(pod.spec ?? { containers: [] }), restartPolicy: "Always", ...spec } };
      const { uid: _, resourceVersion: __, ...meta } = pod.metadata;
      const created = await client.create(pods, { ...merged, metadata: { ...meta, ...metadata } });
      await clock.advance(0);
      return created;
    },
    get: (name) => client.get(pods, { namespace: "default", name }),
    exists: async (name) => {
      const { items } = await client.list(pods, { namespace: "default" });
      return items.some(({ metadata }) => metadata.name === name);
    },
    stop: end,
    async restart() {
      await end();
      await start();
    },
    async [Symbol.asyncDispose]() {
      await end();
      await runtime[Symbol.asyncDispose]();
    },
  };
}
