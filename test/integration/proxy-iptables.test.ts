import { describe, expect, test } from "vitest";
import { portsOfService } from "../../src/proxy/index.js";
import { IptablesProxy } from "../../src/proxy/iptables/index.js";
import { describeProxyBackend } from "../../src/testing/proxy-contract.js";
import { makeNetnsHost, type NetnsHost, netnsSubject, podCidr, podCidrOf6 } from "./support/netns-host.js";

const tables = ["filter", "nat"] as const;

const runs = [
  { variant: "iptables-nft", family: 4, clusterCidr: podCidr },
  { variant: "iptables-nft", family: 6, clusterCidr: podCidrOf6 },
  { variant: "iptables-legacy", family: 4, clusterCidr: podCidr },
] as const;

for (const { variant, family, clusterCidr } of runs) {
  const program = family === 4 ? variant : (variant.replace("ip", "ip6") as "ip6tables-nft");
  describeProxyBackend({
    name: `IptablesProxy (${program}, real packets)`,
    setup: () =>
      netnsSubject({
        family,
        createBackend: ({ exec }) => new IptablesProxy({ exec, variant, clusterCidr, families: [family] }),
        async flush({ exec }) {
          for (const table of tables) {
            await exec(program, ["-t", table, "-F"]);
            await exec(program, ["-t", table, "-X"]);
          }
        },
        leftovers: (host) => kubeRules(host, program),
      }),
  });
}

describe("IptablesProxy for two address families", () => {
  for (const variant of ["iptables-nft", "iptables-legacy"] as const) {
    test(`keeps the rules of each apart (${variant})`, async () => {
      await using host = await makeNetnsHost();
      const clusterCidr = `${podCidr},${podCidrOf6}`;
      await using backend = new IptablesProxy({ exec: host.exec, variant, clusterCidr, families: [4, 6] });
      const meta = { namespace: "default", uid: "", resourceVersion: "", creationTimestamp: "" };
      const slice = (addressType: string, address: string) => ({
        apiVersion: "discovery.k8s.io/v1" as const,
        kind: "EndpointSlice" as const,
        metadata: { ...meta, name: addressType.toLowerCase() },
        addressType,
        ports: [{ name: "http", port: 8080 }],
        endpoints: [{ addresses: [address] }],
      });
      const ports = portsOfService(
        {
          apiVersion: "v1",
          kind: "Service",
          metadata: { ...meta, name: "web" },
          spec: {
            type: "LoadBalancer",
            clusterIP: "10.96.0.10",
            clusterIPs: ["10.96.0.10", "fd00:96::10"],
            externalIPs: ["203.0.113.1", "2001:db8::1"],
            sessionAffinity: "ClientIP",
            externalTrafficPolicy: "Local",
            ports: [{ name: "http", port: 80, nodePort: 30_080 }],
          },
        },
        [slice("IPv4", "10.244.0.2"), slice("IPv6", "fd00:244::2")],
        { nodeName: "node", zone: undefined },
      );
      const table = { ports: new Map(ports.map((port) => [port.id, port])) };
      await backend.sync({ table, changed: undefined });
      expect(await backend.check()).toBe(true);
      const six = (await host.exec(variant.replace("ip", "ip6"), ["-t", "nat", "-S"])).stdout;
      expect(six).toContain("--to-destination [fd00:244::2]:8080");
      expect(six).toContain("-d fd00:96::10/128");
      expect(six).not.toContain("10.96.0.10");
      const four = (await kubeRules(host, variant)).join("\n");
      expect(four).toContain("--to-destination 10.244.0.2:8080");
      expect(four).not.toContain("fd00");
    });
  }
});

async function kubeRules({ exec }: NetnsHost, variant: string): Promise<readonly string[]> {
  const saved = await Promise.all(tables.map((table) => exec(`${variant}-save`, ["-t", table])));
  return saved.flatMap(({ stdout }) => stdout.split("\n").filter((line) => line.includes("KUBE-")));
}
