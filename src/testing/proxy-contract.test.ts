import { expect, test } from "vitest";
import type { ProxyBackend, ProxyServicePort, ServiceTable } from "../proxy/index.js";
import { type Dial, type DialResult, type ProxySubject, proxyChecks, runProxyCheck } from "./proxy-checks.js";

/** Forwards in the mind only; each fault makes it wrong in one way. */
type Fault =
  | "none"
  | "always the first endpoint"
  | "endpoints that are not ready"
  | "no node ports"
  | "no affinity"
  | "source ranges ignored"
  | "local policy ignored"
  | "changes ignored"
  | "removals ignored"
  | "damage not noticed"
  | "damage not repaired"
  | "leftovers";

interface Host {
  table: ServiceTable | undefined;
  damaged: boolean;
}

class ImaginaryBackend implements ProxyBackend {
  readonly name = "imaginary";
  readonly #host: Host;
  readonly #fault: Fault;
  #synced = false;

  constructor(host: Host, fault: Fault) {
    this.#host = host;
    this.#fault = fault;
  }

  async sync({ table, changed }: { readonly table: ServiceTable; readonly changed: ReadonlySet<string> | undefined }) {
    const before = this.#host.table?.ports ?? new Map<string, ProxyServicePort>();
    if (this.#fault === "changes ignored" && changed !== undefined) return;
    if (this.#fault === "damage not repaired" && this.#synced && changed === undefined) return;
    const ports = new Map(table.ports);
    if (this.#fault === "removals ignored") for (const [id, port] of before) if (!ports.has(id)) ports.set(id, port);
    this.#host.table = { ports };
    this.#host.damaged = false;
    this.#synced = true;
  }

  async check(): Promise<boolean> {
    return this.#fault === "damage not noticed" || !this.#host.damaged;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#fault !== "leftovers") this.#host.table = undefined;
  }
}

function imaginarySubject(fault: Fault): ProxySubject {
  const host: Host = { table: undefined, damaged: false };
  const endpoints = ["1.0.0.1", "1.0.0.2", "1.0.0.3"].map((ip) => ({ ip, port: 80 }));
  const stays = new Map<string, number>();
  let turn = 0;
  const choose = (port: ProxyServicePort, dial: Dial, external: boolean): DialResult => {
    const policy = external ? port.externalTrafficPolicy : port.internalTrafficPolicy;
    const local = policy === "Local" && fault !== "local policy ignored";
    const usable = local ? port.localEndpoints : port.clusterEndpoints;
    const from = fault === "endpoints that are not ready" ? port.endpoints : usable;
    const candidates = from.map(({ ip }) => endpoints.findIndex((one) => one.ip === ip));
    const [first] = candidates;
    if (first === undefined) return { outcome: port.hasEndpoints ? "silent" : "refused" };
    const source = dial.from === "outside" ? "2.0.0.2" : "2.0.0.1";
    const client = `${port.id} ${dial.from}`;
    const kept = stays.get(client);
    const stay = port.affinitySeconds !== undefined && fault !== "no affinity" && kept !== undefined;
    let by = candidates[turn++ % candidates.length] ?? first;
    if (fault === "always the first endpoint") by = first;
    if (stay && candidates.includes(kept)) by = kept;
    stays.set(client, by);
    return { outcome: "answered", by, source };
  };
  return {
    createBackend: () => new ImaginaryBackend(host, fault),
    endpoints,
    nodeAddress: "2.0.0.1",
    outsideAddress: "2.0.0.2",
    clusterIPs: ["3.0.0.1", "3.0.0.2"],
    externalIPs: ["4.0.0.1", "4.0.0.2"],
    nodePort: 30_000,
    async dial(dial) {
      if (host.damaged) return { outcome: "silent" };
      for (const port of host.table?.ports.values() ?? []) {
        if (port.protocol !== (dial.protocol ?? "TCP")) continue;
        const atPort = dial.port === port.port;
        if (atPort && dial.to === port.clusterIP) return choose(port, dial, false);
        if (dial.to === "2.0.0.1" && dial.port === port.nodePort && fault !== "no node ports")
          return choose(port, dial, true);
        if (atPort && port.externalIPs.includes(dial.to)) return choose(port, dial, true);
        if (!atPort || !port.loadBalancerIPs.includes(dial.to)) continue;
        const ranges = port.loadBalancerSourceRanges;
        const open = ranges.length === 0 || ranges.includes("2.0.0.2/32") || fault === "source ranges ignored";
        return open ? choose(port, dial, true) : { outcome: "silent" };
      }
      return { outcome: "silent" };
    },
    async flush() {
      host.damaged = true;
    },
    leftovers: async () => (host.table === undefined ? [] : ["table"]),
    async dispose() {},
  };
}

async function failing(fault: Fault): Promise<readonly string[]> {
  const names: string[] = [];
  for (const check of proxyChecks) {
    try {
      await runProxyCheck(check, imaginarySubject(fault));
    } catch {
      names.push(check.name);
    }
  }
  return names;
}

test("a backend without a fault passes every check", async () => {
  expect(await failing("none")).toEqual([]);
});

const faults: readonly { readonly fault: Fault; readonly found: string }[] = [
  { fault: "always the first endpoint", found: "all endpoints get their share, from the node and from a pod" },
  { fault: "endpoints that are not ready", found: "an endpoint that is not ready gets nothing" },
  { fault: "no node ports", found: "a node port answers on the node, in a pod and from outside" },
  { fault: "no affinity", found: "with affinity a client stays with one endpoint" },
  {
    fault: "source ranges ignored",
    found: "a load balancer's address answers those in its source ranges only",
  },
  {
    fault: "local policy ignored",
    found: "external policy Local uses the node's own endpoints and keeps the client's address",
  },
  { fault: "changes ignored", found: "changes take effect one by one, and leave other services alone" },
  { fault: "removals ignored", found: "a deleted service no longer answers" },
  { fault: "damage not noticed", found: "damage is noticed and repaired" },
  { fault: "damage not repaired", found: "damage is noticed and repaired" },
  { fault: "leftovers", found: "a disposed backend leaves nothing behind" },
];

for (const { fault, found } of faults) {
  test(`the contract finds: ${fault}`, async () => {
    expect(await failing(fault)).toContain(found);
  });
}
