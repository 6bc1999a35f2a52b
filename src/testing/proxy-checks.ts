import assert from "node:assert/strict";
import { pickEndpoints } from "../proxy/pick-endpoints.js";
import type { ProxyBackend, ProxyEndpoint, ProxyProtocol, ProxyServicePort, ServiceTable } from "../proxy/proxy.js";

/** The node itself, a host beside it, or the pod of the endpoint with this index. */
export type DialPlace = "node" | "outside" | number;

export interface Dial {
  readonly from: DialPlace;
  readonly to: string;
  readonly port: number;
  /** Default TCP. */
  readonly protocol?: ProxyProtocol | undefined;
  /** Absent: any free one. */
  readonly sourcePort?: number | undefined;
}

export type DialResult =
  /** By the endpoint with this index, which saw the client as `source`. */
  | { readonly outcome: "answered"; readonly by: number; readonly source: string }
  | { readonly outcome: "refused" }
  /** No answer in a short while, or no way there. */
  | { readonly outcome: "silent" };

/** What a backend under test brings: a host with pods that answer, and ways to look from everywhere. */
export interface ProxySubject {
  /** A new backend over the host as it is. */
  createBackend(): ProxyBackend;
  /** At least three, each a pod of its own that answers TCP and UDP at its address and port. All addresses here are of one family. */
  readonly endpoints: readonly { readonly ip: string; readonly port: number }[];
  readonly nodeAddress: string;
  /** Of the client beside the node. */
  readonly outsideAddress: string;
  /** At least two, free to use. */
  readonly clusterIPs: readonly string[];
  /** Free to use as external IPs and load balancer's addresses; at least two. */
  readonly externalIPs: readonly string[];
  /** Free on the node. */
  readonly nodePort: number;
  dial(dial: Dial): Promise<DialResult>;
  /** Destroys what the backend made, behind its back. */
  flush(): Promise<void>;
  /** What a disposed backend must not leave behind: names of what is still there. */
  leftovers(): Promise<readonly string[]>;
  dispose(): Promise<void>;
}

export interface ProxyCheckContext {
  readonly subject: ProxySubject;
  readonly backend: ProxyBackend;
  /** Syncs the backend to a table of these ports. */
  apply(...ports: readonly ProxyServicePort[]): Promise<void>;
}

export interface ProxyCheck {
  readonly name: string;
  run(context: ProxyCheckContext): Promise<void>;
}

type PortOptions = Partial<Omit<ProxyServicePort, "endpoints">> & {
  /** Of the subject's; default all. */
  readonly use?: readonly number[];
  /** Differences from a ready local endpoint, by index. */
  readonly states?: Readonly<Record<number, Partial<ProxyEndpoint>>>;
};

function makePort(subject: ProxySubject, options: PortOptions = {}): ProxyServicePort {
  const { use = subject.endpoints.map((_, index) => index), states = {}, ...rest } = options;
  const endpoints = use.flatMap((index): readonly ProxyEndpoint[] => {
    const address = subject.endpoints[index];
    if (address === undefined) return [];
    const usual = { ready: true, serving: true, terminating: false, local: true, forZones: [], forNodes: [] };
    return [{ ...address, ...usual, ...states[index] }];
  });
  const family = rest.family ?? (at(subject.clusterIPs, 0).includes(":") ? 6 : 4);
  const port = {
    id: `${rest.namespace ?? "default"}/${rest.name ?? "web"}:${rest.portName ?? ""}/${family}`,
    namespace: "default",
    name: "web",
    portName: "",
    family: family as 4 | 6,
    protocol: "TCP" as const,
    clusterIP: at(subject.clusterIPs, 0),
    port: 80,
    nodePort: 0,
    externalIPs: [],
    loadBalancerIPs: [],
    loadBalancerSourceRanges: [],
    affinitySeconds: undefined,
    internalTrafficPolicy: "Cluster" as const,
    externalTrafficPolicy: "Cluster" as const,
    healthCheckNodePort: 0,
    ...rest,
  };
  return { ...port, endpoints, ...pickEndpoints(port, endpoints, { nodeName: "node", zone: undefined }) };
}

function at<T>(items: readonly T[], index: number): T {
  const item = items[index];
  assert.ok(item !== undefined, `the subject has too few (wanted index ${index})`);
  return item;
}

/** The indexes of the endpoints that answered, sorted. Fails when one dial was not answered. */
async function whoAnswers(subject: ProxySubject, dial: Dial, times: number): Promise<readonly number[]> {
  const seen = new Set<number>();
  for (let count = 0; count < times; count++) {
    const result = await subject.dial(dial);
    assert.equal(result.outcome, "answered", `${JSON.stringify(dial)} was ${result.outcome}`);
    if (result.outcome === "answered") seen.add(result.by);
  }
  return [...seen].sort((a, b) => a - b);
}

async function outcome(subject: ProxySubject, dial: Dial): Promise<DialResult["outcome"]> {
  return (await subject.dial(dial)).outcome;
}

/** Enough that chance leaves out one of three endpoints in less than one run of a billion. */
const many = 60;

const reaching: readonly ProxyCheck[] = [
  {
    name: "a cluster IP answers on the node and in a pod, over TCP and UDP",
    async run({ subject, apply }) {
      const ip = at(subject.clusterIPs, 0);
      const udp = makePort(subject, { portName: "dns", protocol: "UDP", port: 53 });
      await apply(makePort(subject, { portName: "http" }), udp);
      for (const from of ["node", 1] as const) {
        assert.equal(await outcome(subject, { from, to: ip, port: 80 }), "answered", `TCP from ${from}`);
        assert.equal(
          await outcome(subject, { from, to: ip, port: 53, protocol: "UDP" }),
          "answered",
          `UDP from ${from}`,
        );
        assert.notEqual(await outcome(subject, { from, to: ip, port: 81 }), "answered");
      }
    },
  },
  {
    name: "all endpoints get their share, from the node and from a pod",
    async run({ subject, apply }) {
      await apply(makePort(subject, { use: [0, 1, 2] }));
      const to = at(subject.clusterIPs, 0);
      assert.deepEqual(await whoAnswers(subject, { from: "node", to, port: 80 }, many), [0, 1, 2]);
      assert.deepEqual(await whoAnswers(subject, { from: 0, to, port: 80 }, many), [0, 1, 2]);
    },
  },
  {
    name: "an endpoint that is not ready gets nothing",
    async run({ subject, apply }) {
      await apply(makePort(subject, { use: [0, 1, 2], states: { 1: { ready: false, serving: false } } }));
      const to = at(subject.clusterIPs, 0);
      assert.deepEqual(await whoAnswers(subject, { from: "node", to, port: 80 }, many), [0, 2]);
    },
  },
  {
    name: "terminating endpoints that still serve are used when no other is ready",
    async run({ subject, apply }) {
      const leaving = { ready: false, serving: true, terminating: true };
      const to = at(subject.clusterIPs, 0);
      await apply(makePort(subject, { use: [0, 1], states: { 0: leaving } }));
      assert.deepEqual(await whoAnswers(subject, { from: "node", to, port: 80 }, 20), [1]);
      await apply(makePort(subject, { use: [0, 1], states: { 0: leaving, 1: { ready: false, serving: false } } }));
      assert.deepEqual(await whoAnswers(subject, { from: "node", to, port: 80 }, 5), [0]);
    },
  },
  {
    name: "a node port answers on the node, in a pod and from outside",
    async run({ subject, apply }) {
      await apply(makePort(subject, { nodePort: subject.nodePort }));
      for (const from of ["node", 0, "outside"] as const) {
        const dial = { from, to: subject.nodeAddress, port: subject.nodePort };
        assert.equal(await outcome(subject, dial), "answered", `from ${from}`);
      }
      await apply(makePort(subject));
      const dial: Dial = { from: "outside", to: subject.nodeAddress, port: subject.nodePort };
      assert.notEqual(await outcome(subject, dial), "answered");
    },
  },
  {
    name: "a pod reaches itself through its service",
    async run({ subject, apply }) {
      await apply(makePort(subject, { use: [1], nodePort: subject.nodePort }));
      const byService = await whoAnswers(subject, { from: 1, to: at(subject.clusterIPs, 0), port: 80 }, 3);
      assert.deepEqual(byService, [1]);
      const byNode = await whoAnswers(subject, { from: 1, to: subject.nodeAddress, port: subject.nodePort }, 3);
      assert.deepEqual(byNode, [1]);
    },
  },
  {
    name: "an external IP answers from outside",
    async run({ subject, apply }) {
      const to = at(subject.externalIPs, 0);
      await apply(makePort(subject, { externalIPs: [to] }));
      assert.equal(await outcome(subject, { from: "outside", to, port: 80 }), "answered");
      assert.equal(await outcome(subject, { from: "node", to, port: 80 }), "answered");
    },
  },
  {
    name: "a load balancer's address answers those in its source ranges only",
    async run({ subject, apply }) {
      const to = at(subject.externalIPs, 1);
      const port = { loadBalancerIPs: [to] };
      const [mine, others] = subject.outsideAddress.includes(":")
        ? ["/128", "2001:db8:2::/48"]
        : ["/32", "192.0.2.0/24"];
      await apply(makePort(subject, { ...port, loadBalancerSourceRanges: [`${subject.outsideAddress}${mine}`] }));
      assert.equal(await outcome(subject, { from: "outside", to, port: 80 }), "answered");
      await apply(makePort(subject, { ...port, loadBalancerSourceRanges: [others] }));
      assert.notEqual(await outcome(subject, { from: "outside", to, port: 80 }), "answered");
    },
  },
];

const choosing: readonly ProxyCheck[] = [
  {
    name: "with affinity a client stays with one endpoint",
    async run({ subject, apply }) {
      const to = at(subject.clusterIPs, 0);
      await apply(makePort(subject, { use: [0, 1, 2], affinitySeconds: 100, nodePort: subject.nodePort }));
      assert.equal((await whoAnswers(subject, { from: "node", to, port: 80 }, 20)).length, 1);
      assert.equal((await whoAnswers(subject, { from: 0, to, port: 80 }, 20)).length, 1);
      const dial: Dial = { from: "outside", to: subject.nodeAddress, port: subject.nodePort };
      assert.equal((await whoAnswers(subject, dial, 20)).length, 1);
    },
  },
  {
    name: "with affinity a client whose endpoint is gone gets another",
    async run({ subject, apply }) {
      const dial: Dial = { from: 0, to: at(subject.clusterIPs, 0), port: 80 };
      await apply(makePort(subject, { use: [0, 1, 2], affinitySeconds: 100 }));
      const [first] = await whoAnswers(subject, dial, 3);
      const rest = [0, 1, 2].filter((index) => index !== first);
      await apply(makePort(subject, { use: rest, affinitySeconds: 100 }));
      const [second, ...more] = await whoAnswers(subject, dial, 10);
      assert.ok(second !== first && more.length === 0);
    },
  },
  {
    name: "external policy Local uses the node's own endpoints and keeps the client's address",
    async run({ subject, apply }) {
      const states = { 0: { local: false }, 2: { local: false } };
      const local = { externalTrafficPolicy: "Local", nodePort: subject.nodePort, states } as const;
      await apply(makePort(subject, { use: [0, 1, 2], ...local }));
      const dial: Dial = { from: "outside", to: subject.nodeAddress, port: subject.nodePort };
      assert.deepEqual(await whoAnswers(subject, dial, 20), [1]);
      const result = await subject.dial(dial);
      assert.equal(result.outcome === "answered" ? result.source : "", subject.outsideAddress);
      await apply(makePort(subject, { use: [0, 2], ...local }));
      assert.notEqual(await outcome(subject, dial), "answered", "without a local endpoint");
    },
  },
  {
    name: "internal policy Local uses the node's own endpoints",
    async run({ subject, apply }) {
      const states = { 0: { local: false }, 2: { local: false } };
      const to = at(subject.clusterIPs, 0);
      await apply(makePort(subject, { use: [0, 1, 2], internalTrafficPolicy: "Local", states }));
      assert.deepEqual(await whoAnswers(subject, { from: 0, to, port: 80 }, 20), [1]);
      await apply(makePort(subject, { use: [0, 2], internalTrafficPolicy: "Local", states }));
      assert.notEqual(await outcome(subject, { from: 0, to, port: 80 }), "answered");
    },
  },
  {
    name: "without endpoints connections are refused at once",
    async run({ subject, apply }) {
      const to = at(subject.clusterIPs, 0);
      await apply(makePort(subject, { use: [], nodePort: subject.nodePort }));
      assert.equal(await outcome(subject, { from: "node", to, port: 80 }), "refused");
      assert.equal(await outcome(subject, { from: 0, to, port: 80 }), "refused");
      const dial: Dial = { from: "outside", to: subject.nodeAddress, port: subject.nodePort };
      assert.equal(await outcome(subject, dial), "refused");
      await apply(makePort(subject, { nodePort: subject.nodePort }));
      assert.equal(await outcome(subject, { from: "node", to, port: 80 }), "answered");
    },
  },
];

const changing: readonly ProxyCheck[] = [
  {
    name: "changes take effect one by one, and leave other services alone",
    async run({ subject, apply }) {
      const [one, two] = [at(subject.clusterIPs, 0), at(subject.clusterIPs, 1)];
      const other = makePort(subject, { name: "other", clusterIP: two, use: [2] });
      await apply(makePort(subject, { use: [0] }), other);
      assert.deepEqual(await whoAnswers(subject, { from: "node", to: one, port: 80 }, 3), [0]);
      await apply(makePort(subject, { use: [1] }), other);
      assert.deepEqual(await whoAnswers(subject, { from: "node", to: one, port: 80 }, 5), [1]);
      await apply(makePort(subject, { use: [1], port: 8888 }), other);
      assert.notEqual(await outcome(subject, { from: 0, to: one, port: 80 }), "answered");
      assert.deepEqual(await whoAnswers(subject, { from: "node", to: one, port: 8888 }, 3), [1]);
      assert.deepEqual(await whoAnswers(subject, { from: "node", to: two, port: 80 }, 3), [2]);
    },
  },
  {
    name: "a deleted service no longer answers",
    async run({ subject, apply }) {
      const other = makePort(subject, { name: "other", clusterIP: at(subject.clusterIPs, 1), use: [2] });
      await apply(makePort(subject, { nodePort: subject.nodePort }), other);
      await apply(other);
      const to = at(subject.clusterIPs, 0);
      assert.notEqual(await outcome(subject, { from: "node", to, port: 80 }), "answered");
      assert.notEqual(await outcome(subject, { from: 0, to, port: 80 }), "answered");
      const dial: Dial = { from: "outside", to: subject.nodeAddress, port: subject.nodePort };
      assert.notEqual(await outcome(subject, dial), "answered");
      assert.equal(await outcome(subject, { from: 0, to: other.clusterIP, port: 80 }), "answered");
    },
  },
  {
    name: "a UDP client that goes on with the same port leaves an endpoint that is gone",
    async run({ subject, apply }) {
      const udp = { portName: "dns", protocol: "UDP", port: 53 } as const;
      const dial: Dial = { from: 2, to: at(subject.clusterIPs, 0), port: 53, protocol: "UDP", sourcePort: 41_053 };
      await apply(makePort(subject, { ...udp, use: [0] }));
      assert.deepEqual(await whoAnswers(subject, dial, 3), [0]);
      await apply(makePort(subject, { ...udp, use: [1] }));
      assert.deepEqual(await whoAnswers(subject, dial, 3), [1]);
    },
  },
  {
    name: "damage is noticed and repaired",
    async run({ subject, backend, apply }) {
      const port = makePort(subject, { nodePort: subject.nodePort });
      const to = at(subject.clusterIPs, 0);
      await apply(port);
      assert.equal(await backend.check?.(), true, "before the damage");
      await subject.flush();
      assert.notEqual(await outcome(subject, { from: 0, to, port: 80 }), "answered");
      assert.equal(await backend.check?.(), false, "after the damage");
      await backend.sync({ table: { ports: new Map([[port.id, port]]) }, changed: undefined });
      assert.equal(await outcome(subject, { from: "node", to, port: 80 }), "answered");
      const dial: Dial = { from: "outside", to: subject.nodeAddress, port: subject.nodePort };
      assert.equal(await outcome(subject, dial), "answered");
      assert.equal(await backend.check?.(), true, "after the repair");
    },
  },
  {
    name: "a backend takes over what another left behind",
    async run({ subject, apply }) {
      const [old, kept] = [at(subject.clusterIPs, 0), at(subject.clusterIPs, 1)];
      const before = [makePort(subject, { name: "old", use: [0] }), makePort(subject, { clusterIP: kept, use: [0] })];
      await apply(...before);
      await using next = subject.createBackend();
      const port = makePort(subject, { clusterIP: kept, use: [2] });
      await next.sync({ table: { ports: new Map([[port.id, port]]) }, changed: undefined });
      assert.notEqual(await outcome(subject, { from: 0, to: old, port: 80 }), "answered");
      assert.deepEqual(await whoAnswers(subject, { from: "node", to: kept, port: 80 }, 3), [2]);
    },
  },
  {
    name: "a disposed backend leaves nothing behind",
    async run({ subject, backend, apply }) {
      const udp = makePort(subject, { portName: "dns", protocol: "UDP", port: 53 });
      const local = makePort(subject, { externalTrafficPolicy: "Local", nodePort: subject.nodePort });
      await apply(local, udp);
      assert.notEqual((await subject.leftovers()).length, 0, "while it works");
      await backend[Symbol.asyncDispose]();
      assert.deepEqual(await subject.leftovers(), []);
      await backend[Symbol.asyncDispose]();
      assert.notEqual(await outcome(subject, { from: 0, to: local.clusterIP, port: 80 }), "answered");
    },
  },
];

/** What every backend does. Each starts on a host without leftovers. */
export const proxyChecks: readonly ProxyCheck[] = [...reaching, ...choosing, ...changing];

/** Runs one check with a backend of its own, which is disposed behind it. */
export async function runProxyCheck(check: ProxyCheck, subject: ProxySubject): Promise<void> {
  const backend = subject.createBackend();
  let last: ServiceTable | undefined;
  try {
    await check.run({
      subject,
      backend,
      async apply(...ports) {
        const table: ServiceTable = { ports: new Map(ports.map((port) => [port.id, port])) };
        const before = last?.ports;
        const ids = [...(before?.keys() ?? []), ...table.ports.keys()];
        const changed = new Set(ids.filter((id) => before?.get(id) !== table.ports.get(id)));
        await backend.sync({ table, changed: before === undefined ? undefined : changed });
        last = table;
      },
    });
  } finally {
    await backend[Symbol.asyncDispose]();
  }
}
