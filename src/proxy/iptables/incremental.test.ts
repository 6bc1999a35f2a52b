import { describe, expect, test } from "vitest";
import { type Random, randomInt, seededRandom } from "../../internal/random.js";
import { SimulatedIptables } from "../../testing/simulated-iptables.js";
import { serviceChain, servicePortHash } from "../netfilter/chain-names.js";
import { pickEndpoints } from "../pick-endpoints.js";
import type { ProxyServicePort, ServiceTable } from "../proxy.js";
import { IptablesProxy } from "./index.js";

function randomPort(random: Random, index: number): ProxyServicePort {
  const chance = (share: number): boolean => random.next() < share;
  const endpoints = Array.from({ length: randomInt(random, 4) }, (_, host) => ({
    ip: `10.244.${index}.${host + 1}`,
    port: 8080,
    ready: chance(0.8),
    serving: true,
    terminating: chance(0.3),
    local: chance(0.5),
    forZones: [],
    forNodes: [],
  }));
  const port = {
    id: `default/s${index}:http/4`,
    namespace: "default",
    name: `s${index}`,
    portName: "http",
    family: 4 as const,
    protocol: chance(0.3) ? ("UDP" as const) : ("TCP" as const),
    clusterIP: `10.96.0.${index + 1}`,
    port: 80,
    nodePort: chance(0.4) ? 30_000 + index : 0,
    externalIPs: chance(0.2) ? [`203.0.113.${index + 1}`] : [],
    loadBalancerIPs: chance(0.2) ? [`198.51.100.${index + 1}`] : [],
    loadBalancerSourceRanges: chance(0.5) ? ["192.0.2.0/24"] : [],
    affinitySeconds: chance(0.3) ? 60 : undefined,
    internalTrafficPolicy: chance(0.2) ? ("Local" as const) : ("Cluster" as const),
    externalTrafficPolicy: chance(0.3) ? ("Local" as const) : ("Cluster" as const),
    healthCheckNodePort: chance(0.1) ? 32_000 + index : 0,
  };
  return { ...port, endpoints, ...pickEndpoints(port, endpoints, { nodeName: "n", zone: undefined }) };
}

/** All rules, whatever the order of chains and of the services in shared chains. */
function content(iptables: SimulatedIptables): readonly string[] {
  return ["filter", "nat"].flatMap((table) => iptables.save(table).split("\n").sort());
}

describe("IptablesProxy, change by change", () => {
  for (const seed of [1, 2, 3, 4, 5, 6]) {
    test(`ends where a full sync does (seed ${seed})`, async () => {
      const random = seededRandom(seed);
      const variant = seed % 2 === 0 ? "legacy" : "nf_tables";
      const incremental = new SimulatedIptables(variant);
      const backend = new IptablesProxy({ exec: incremental.exec, clusterCidr: "10.244.0.0/16" });
      let ports = new Map<string, ProxyServicePort>();
      await backend.sync({ table: { ports }, changed: undefined });
      for (let round = 0; round < 25; round++) {
        const changed = new Set<string>();
        ports = new Map(ports);
        for (let count = round === 10 ? 60 : 1 + randomInt(random, 4); count > 0; count--) {
          const port = randomPort(random, randomInt(random, round >= 10 ? 80 : 12));
          changed.add(port.id);
          if (random.next() < 0.3) ports.delete(port.id);
          else ports.set(port.id, port);
        }
        const table: ServiceTable = { ports };
        await backend.sync({ table, changed });
        const full = new SimulatedIptables(variant);
        await new IptablesProxy({ exec: full.exec, clusterCidr: "10.244.0.0/16" }).sync({ table, changed: undefined });
        expect(content(incremental)).toEqual(content(full));
        expect(await backend.check()).toBe(true);
        const last = incremental.rules("nat", "KUBE-SERVICES")?.at(-1)?.words.at(-1);
        expect(last).toBe("KUBE-NODEPORTS");
      }
    });
  }

  test("writes only the chains of a service whose endpoints changed", async () => {
    const iptables = new SimulatedIptables();
    const backend = new IptablesProxy({ exec: iptables.exec });
    const random = seededRandom(9);
    const ports = new Map(Array.from({ length: 20 }, (_, index) => randomPort(random, index)).map((p) => [p.id, p]));
    const make = (ip: string): ProxyServicePort => {
      const usual = { ready: true, serving: true, terminating: false, local: true, forZones: [], forNodes: [] };
      const endpoints = [{ ip, port: 80, ...usual }];
      const plain = { nodePort: 0, externalIPs: [], loadBalancerIPs: [] } as const;
      const policies = { internalTrafficPolicy: "Cluster", externalTrafficPolicy: "Cluster", ...plain } as const;
      return {
        ...randomPort(seededRandom(1), 100),
        ...policies,
        affinitySeconds: undefined,
        healthCheckNodePort: 0,
        endpoints,
        ...pickEndpoints(policies, endpoints, { nodeName: "n", zone: undefined }),
      };
    };
    const [before, after] = [make("10.244.9.1"), make("10.244.9.2")];
    await backend.sync({ table: { ports: new Map([...ports, [before.id, before]]) }, changed: undefined });
    const earlier = iptables.restores.length;
    const changed = new Set([after.id]);
    await backend.sync({ table: { ports: new Map([...ports, [after.id, after]]) }, changed });
    const [input = "", ...others] = iptables.restores.slice(earlier);
    expect(others).toEqual([]);
    const written = input.split("\n").filter((line) => line.startsWith(":"));
    // The new endpoint's, the service's, and the old endpoint's that is removed.
    expect(written).toHaveLength(3);
    expect(input).not.toContain("KUBE-SERVICES");
    await backend.sync({ table: { ports: new Map([...ports, [after.id, after]]) }, changed });
    expect(iptables.restores.length).toBe(earlier + 1);
  });

  test("names chains as kube-proxy does", () => {
    const port = { namespace: "default", name: "kubernetes", portName: "https", protocol: "TCP" } as const;
    // A name that every cluster made by kubeadm has.
    expect(serviceChain("SVC", servicePortHash(port))).toBe("KUBE-SVC-NPX46M4PTMTKRN6Y");
    const dns = { namespace: "kube-system", name: "kube-dns", portName: "dns", protocol: "UDP" } as const;
    expect(serviceChain("SVC", servicePortHash(dns))).toBe("KUBE-SVC-TCOU7JCQXEZGVUNU");
  });
});
