import { describe, expect, test } from "vitest";
import { seededRandom } from "../../internal/random.js";
import { VirtualClock } from "../../internal/virtual-clock.js";
import { PacketTracer } from "../../testing/packet-tracer.js";
import type { ProxySubject } from "../../testing/proxy-checks.js";
import { describeProxyBackend } from "../../testing/proxy-contract.js";
import { SimulatedIptables } from "../../testing/simulated-iptables.js";
import { ProxyError } from "../proxy.js";
import { IptablesProxy } from "./index.js";

const node = "10.0.0.1";
const outside = "10.0.0.99";
const endpoints = ["10.244.0.2", "10.244.0.3", "10.244.0.4"].map((ip) => ({ ip, port: 8080 }));

function tracedSubject(variant: "legacy" | "nf_tables"): ProxySubject {
  const iptables = new SimulatedIptables(variant);
  const tracer = new PacketTracer({
    iptables,
    nodeAddresses: [node],
    clock: new VirtualClock(),
    random: seededRandom(7),
  });
  return {
    createBackend: () => new IptablesProxy({ exec: iptables.exec, clusterCidr: "10.244.0.0/16" }),
    endpoints,
    nodeAddress: node,
    outsideAddress: outside,
    clusterIPs: ["10.96.0.10", "10.96.0.11"],
    externalIPs: ["203.0.113.1", "203.0.113.2"],
    nodePort: 30_080,
    async dial({ from, to, port, protocol = "TCP" }) {
      const source = from === "node" ? node : from === "outside" ? outside : (endpoints[from]?.ip ?? "");
      const traced = tracer.trace({ source, destination: to, port, protocol });
      if (traced.verdict === "rejected" || (traced.verdict === "accepted" && traced.toNode))
        return { outcome: "refused" };
      const by = endpoints.findIndex((one) => one.ip === traced.destination && one.port === traced.port);
      if (traced.verdict === "dropped" || by < 0) return { outcome: "silent" };
      // Without masquerading the answer to itself would not come back through the node.
      if (traced.source === traced.destination) return { outcome: "silent" };
      return { outcome: "answered", by, source: traced.source };
    },
    flush: async () => iptables.flush(),
    leftovers: async () => iptables.leftovers,
    dispose: async () => {},
  };
}

for (const variant of ["legacy", "nf_tables"] as const) {
  describeProxyBackend({
    name: `IptablesProxy (${variant}, traced)`,
    setup: async () => tracedSubject(variant),
  });
}

describe("IptablesProxy", () => {
  test("says what is missing where iptables is not installed", async () => {
    const exec = async (): Promise<never> => {
      throw Object.assign(new Error("spawn iptables ENOENT"), { code: "ENOENT" });
    };
    const sync = new IptablesProxy({ exec }).sync({ table: { ports: new Map() }, changed: undefined });
    await expect(sync).rejects.toMatchObject({ code: "unsupported", message: expect.stringMatching(/not installed/) });
    await expect(sync).rejects.toBeInstanceOf(ProxyError);
  });
});
