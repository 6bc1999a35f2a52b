import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { seededRandom } from "coxswain";
import {
  isStatusError,
  type KubeObject,
  type New,
  type Node,
  nodes,
  type Pod,
  pods,
  serviceAccounts,
} from "coxswain/api";
import { type Client, createClient, type HttpTransport } from "coxswain/client";
import { makeNode, makePod } from "coxswain/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ApiServerProcess, connectTo } from "./support/api-server-process.js";
import { startCli } from "./support/cli.js";
import { eventually, type Program } from "./support/cli-program.js";
import { type Balancer, startBalancer } from "./support/cluster-balancer.js";
import { type EtcdProcess, startEtcd } from "./support/etcd.js";

// Two schedulers with an election, an API server and an etcd, each a process of its own, killed at moments of chance; connections that
// break; and somebody else who binds pods too. What must hold of every pod is read from the API's own history.

const seed = Number(process.env.SEED ?? Date.now() % 1_000_000);
const random = seededRandom(seed);
const pick = (count: number): number => Math.floor(random.next() * count);
const namespace = "default";
const nodeCount = 5;
const nodeMillis = 4000;
const podCount = 150;

let folder: string;
let etcd: EtcdProcess;
let api: ApiServerProcess;
let balancer: Balancer;
let transport: HttpTransport;
let client: Client;
const schedulers: Program[] = [];

const configuration = `
apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
leaderElection: { leaseDuration: 3s, renewDeadline: 2s, retryPeriod: 500ms }
podMaxBackoffSeconds: 2
`;

beforeAll(async () => {
  console.log(`scheduler-faults: SEED=${seed}`);
  folder = await mkdtemp(join(tmpdir(), "scheduler-faults-"));
  etcd = await startEtcd();
  api = new ApiServerProcess({ folder, data: "api", name: "api", etcd: etcd.endpoint });
  await api.start();
  balancer = await startBalancer([api.port]);
  transport = await connectTo(api.kubeconfig, balancer.port);
  client = createClient(transport);
  const kubeconfig = await readFile(api.kubeconfig, "utf8");
  await writeFile(join(folder, "kubeconfig"), kubeconfig.replaceAll(`:${api.port}`, `:${balancer.port}`));
  await writeFile(join(folder, "config.yaml"), configuration);
}, 60_000);

afterAll(async () => {
  for (const program of schedulers) await program[Symbol.asyncDispose]();
  await transport?.[Symbol.asyncDispose]();
  await balancer?.[Symbol.asyncDispose]();
  await api?.[Symbol.asyncDispose]();
  await etcd?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

function startScheduler(index: number): void {
  const args = ["scheduler", "--kubeconfig", join(folder, "kubeconfig"), "--config", join(folder, "config.yaml")];
  schedulers[index] = startCli(args);
}

function unnumbered<T extends KubeObject>(object: T): New<T> {
  const { uid: _, ...metadata } = object.metadata;
  return { ...object, metadata } as unknown as New<T>;
}

/** Tries until it is done. What was done before an answer was lost is taken for done. */
async function surely(what: string, attempt: () => Promise<unknown>): Promise<void> {
  await eventually(
    async () => {
      await attempt().catch((error: unknown) => {
        if (!isStatusError(error, "AlreadyExists") && !isStatusError(error, "NotFound")) throw error;
      });
      return true;
    },
    what,
    60_000,
  );
}

/** Where each pod has been, by uid, from all events since `resourceVersion`. It never lists again. */
async function follow(resourceVersion: string, homes: Map<string, Set<string>>, signal: AbortSignal): Promise<void> {
  let revision = resourceVersion;
  while (!signal.aborted) {
    try {
      for await (const { object } of client.watch(pods, { namespace, resourceVersion: revision, signal })) {
        revision = object.metadata.resourceVersion;
        const { nodeName } = object.spec ?? {};
        const seen = homes.get(object.metadata.uid) ?? new Set();
        homes.set(object.metadata.uid, nodeName ? seen.add(nodeName) : seen);
      }
    } catch (error) {
      if (isStatusError(error, "Expired")) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const millis = ({ spec }: Pod): number => Number.parseInt(spec?.containers[0]?.resources?.requests?.["cpu"] ?? "0", 10);

const faults: readonly { readonly name: string; readonly happen: () => Promise<void> }[] = [
  {
    name: "API server killed",
    happen: async () => {
      await api.kill();
      await api.start();
    },
  },
  {
    name: "etcd killed",
    happen: async () => {
      await etcd.kill();
      await etcd.start();
    },
  },
  { name: "connections cut", happen: async () => balancer.cut() },
  {
    name: "scheduler killed",
    happen: async () => {
      const index = pick(2);
      await schedulers[index]?.[Symbol.asyncDispose]();
      startScheduler(index);
    },
  },
];

test("whatever dies, no pod is bound twice, none forgotten, no node overcommitted", { timeout: 240_000 }, async () => {
  for (let index = 0; index < nodeCount; index++) {
    const name = `node-${index}`;
    await client.create(nodes, unnumbered(makeNode(name, { cpuMillis: nodeMillis })) as New<Node>);
    // Admission keeps a new node closed until somebody looks after it.
    await client.patch(nodes, { name }, { type: "merge", body: { spec: { taints: null } } });
  }
  // No controller makes it.
  const metadata = { name: "default", namespace };
  await client.create(serviceAccounts, { apiVersion: "v1", kind: "ServiceAccount", metadata });
  const { resourceVersion = "" } = (await client.list(pods, { namespace })).metadata;
  const homes = new Map<string, Set<string>>();
  const stop = new AbortController();
  const following = follow(resourceVersion, homes, stop.signal);
  startScheduler(0);
  startScheduler(1);
  const happened: string[] = [];
  const done = new Set<number>();
  for (let index = 0; index < podCount; index++) {
    const name = `pod-${index}`;
    // Some are for somebody else to bind, though the scheduler wants them too. They ask for nothing, so that he cannot do harm.
    const foreign = random.next() < 0.1;
    const pod = unnumbered(makePod(name, { cpuMillis: foreign ? 0 : 50 + pick(5) * 25 })) as New<Pod>;
    await surely(`creating ${name}`, () => client.create(pods, pod));
    if (foreign) {
      const target = { kind: "Node", name: `node-${pick(nodeCount)}` };
      const binding = { apiVersion: "v1", kind: "Binding", metadata: { name, namespace }, target };
      // It may come too late.
      await client.createSubresource(pods, { namespace, name }, "binding", binding).catch(() => {});
    }
    if (random.next() < 0.1) {
      const gone = pick(index + 1);
      const key = { namespace, name: `pod-${gone}` };
      await surely(`deleting pod-${gone}`, () => client.delete(pods, key, { gracePeriodSeconds: 0 }));
    }
    const each = Math.floor(podCount / (faults.length * 2));
    if (index % each !== each - 1) continue;
    // Each at least once, then what chance brings.
    const which = done.size < faults.length ? done.size : pick(faults.length);
    done.add(which);
    happened.push(faults[which]?.name ?? "");
    await faults[which]?.happen();
  }
  await eventually(
    async () => {
      const { items } = await client.list(pods, { namespace });
      return items.every(({ spec }) => Boolean(spec?.nodeName)) ? items : undefined;
    },
    "all pods have a node",
    90_000,
  );
  const { items } = await client.list(pods, { namespace });
  stop.abort();
  await following;
  console.log(`scheduler-faults: SEED=${seed}, ${happened.join(", ")}; ${homes.size} pods, ${items.length} at the end`);
  for (const [uid, names] of homes) expect(names.size, `${uid}: ${[...names].join(", ")}`).toBeLessThanOrEqual(1);
  expect(homes.size).toBeGreaterThanOrEqual(items.length);
  const used = new Map<string, number>();
  for (const pod of items) {
    const on = pod.spec?.nodeName ?? "";
    used.set(on, (used.get(on) ?? 0) + millis(pod));
  }
  for (const [name, sum] of used) expect(sum, name).toBeLessThanOrEqual(nodeMillis);
});
