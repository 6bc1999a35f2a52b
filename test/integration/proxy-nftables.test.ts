import { describe, expect, test } from "vitest";
import { seededRandom } from "../../src/internal/random.js";
import type { ProxyServicePort } from "../../src/proxy/index.js";
import { NftablesProxy } from "../../src/proxy/nftables/index.js";
import { pickEndpoints } from "../../src/proxy/pick-endpoints.js";
import { describeProxyBackend } from "../../src/testing/proxy-contract.js";
import { makeNetnsHost, type NetnsHost, netnsSubject, podCidr, podCidrOf6 } from "./support/netns-host.js";

for (const [family, clusterCidr] of [
  [4, podCidr],
  [6, podCidrOf6],
] as const) {
  describeProxyBackend({
    name: `NftablesProxy (real packets of IPv${family})`,
    setup: () =>
      netnsSubject({
        family,
        createBackend: ({ exec }) => new NftablesProxy({ exec, clusterCidr, families: [family] }),
        flush: async ({ exec }) => {
          await exec("nft", ["flush", "ruleset"]);
        },
        leftovers: async ({ exec }) => {
          const { stdout } = await exec("nft", ["list", "tables"]);
          return stdout.split("\n").filter((line) => line.includes("kube-proxy"));
        },
      }),
  });
}

/** What the kernel has: chains and sets in the order of their names, elements in the order of theirs. */
async function content({ exec }: NetnsHost): Promise<readonly string[]> {
  const { stdout } = await exec("nft", ["-j", "list", "ruleset"]);
  const { nftables } = JSON.parse(stdout) as { nftables: Record<string, Record<string, unknown>>[] };
  return nftables
    .filter((object) => object.metainfo === undefined)
    .flatMap((object) =>
      Object.entries(object).flatMap(([kind, { handle: _, elem, ...rest }]) => [
        JSON.stringify([kind, rest]),
        ...(Array.isArray(elem) ? elem.map((one) => JSON.stringify([rest.name, one])) : []),
      ]),
    )
    .sort();
}

function randomPort(random: { next(): number }, index: number): ProxyServicePort {
  const chance = (share: number): boolean => random.next() < share;
  const some = (most: number): number => Math.floor(random.next() * most);
  const family = chance(0.3) ? 6 : 4;
  const at = (four: string, six: string, host: number): string => (family === 4 ? `${four}${host}` : `${six}${host}`);
  const endpoints = Array.from({ length: some(5) }, (_, host) => ({
    ip: at("10.244.3.", "fd00:244::", 1 + ((index + host) % 9)),
    port: 8080 + some(2),
    ready: chance(0.8),
    serving: true,
    terminating: chance(0.3),
    local: chance(0.5),
    forZones: [],
    forNodes: [],
  }));
  const port = {
    id: `default/s${index}:http/${family}`,
    namespace: "default",
    name: `s${index}`,
    portName: "http",
    family: family as 4 | 6,
    protocol: chance(0.3) ? ("UDP" as const) : ("TCP" as const),
    clusterIP: at("10.96.0.", "fd00:96::", index + 1),
    port: 80,
    nodePort: chance(0.4) ? 30_000 + index : 0,
    // Some are claimed by more than one service.
    externalIPs: chance(0.3) ? [at("203.0.113.", "2001:db8::", 1 + (index % 4))] : [],
    loadBalancerIPs: chance(0.3) ? [at("198.51.100.", "2001:db8:1::", index + 1)] : [],
    loadBalancerSourceRanges: chance(0.5)
      ? family === 4
        ? ["192.0.2.7/24", "192.0.2.0/25", "10.0.0.0/8", "10.0.0.0/8"]
        : ["2001:db8:2::/48", "2001:db8:2:1::/64"]
      : [],
    affinitySeconds: chance(0.3) ? (chance(0.5) ? 60 : 90) : undefined,
    internalTrafficPolicy: chance(0.2) ? ("Local" as const) : ("Cluster" as const),
    externalTrafficPolicy: chance(0.3) ? ("Local" as const) : ("Cluster" as const),
    healthCheckNodePort: 0,
  };
  return { ...port, endpoints, ...pickEndpoints(port, endpoints, { nodeName: "n", zone: undefined }) };
}

describe("NftablesProxy, change by change", () => {
  test.each([1, 2, 3, 4])("ends where a full sync does, for both families (seed %i)", async (seed) => {
    await using one = await makeNetnsHost();
    await using other = await makeNetnsHost();
    const random = seededRandom(seed);
    const options = { clusterCidr: `${podCidr},${podCidrOf6}`, families: [4, 6] as const };
    await using backend = new NftablesProxy({ exec: one.exec, ...options });
    let ports = new Map<string, ProxyServicePort>();
    await backend.sync({ table: { ports }, changed: undefined });
    for (let round = 0; round < 12; round++) {
      const changed = new Set<string>();
      ports = new Map(ports);
      for (let count = round === 6 ? 40 : 1 + Math.floor(random.next() * 4); count > 0; count--) {
        const port = randomPort(random, Math.floor(random.next() * (round >= 6 ? 40 : 8)));
        changed.add(port.id);
        if (random.next() < 0.3) ports.delete(port.id);
        else ports.set(port.id, port);
      }
      await backend.sync({ table: { ports }, changed });
      expect(await backend.check()).toBe(true);
      await using full = new NftablesProxy({ exec: other.exec, ...options });
      await full.sync({ table: { ports }, changed: undefined });
      expect(await content(one), `round ${round}`).toEqual(await content(other));
    }
    // Over what is there, all of it once more.
    const before = await content(one);
    await backend.sync({ table: { ports }, changed: undefined });
    expect(await content(one)).toEqual(before);
  });
});

describe("NftablesProxy over what is there", () => {
  test("clears a table of this name that is somebody else's", async () => {
    await using host = await makeNetnsHost();
    const theirs = [
      "add table ip kube-proxy",
      "add map ip kube-proxy service-ips { type ipv4_addr : verdict; }",
      "add chain ip kube-proxy nat-output { type nat hook output priority 5; }",
      "add chain ip kube-proxy theirs",
      "add rule ip kube-proxy nat-output jump theirs",
      "add element ip kube-proxy service-ips { 10.0.0.1 : goto theirs }",
    ];
    expect((await host.exec("nft", ["-f", "-"], { stdin: theirs.join("\n") })).code).toBe(0);
    await using backend = new NftablesProxy({ exec: host.exec });
    const port = randomPort(seededRandom(3), 1);
    await backend.sync({ table: { ports: new Map([[port.id, port]]) }, changed: undefined });
    expect(await backend.check()).toBe(true);
    expect((await content(host)).join()).not.toContain("theirs");
  });

  test("remembers the clients of a service when everything is written anew", async () => {
    await using host = await makeNetnsHost();
    await using backend = new NftablesProxy({ exec: host.exec });
    const endpoint = { ip: "10.244.0.2", port: 80, ready: true, serving: true, terminating: false, local: true };
    const endpoints = [{ ...endpoint, forZones: [], forNodes: [] }];
    const base = {
      ...randomPort(seededRandom(3), 1),
      family: 4 as const,
      clusterIP: "10.96.0.9",
      affinitySeconds: 600,
    };
    const picked = pickEndpoints(base, endpoints, { nodeName: "n", zone: undefined });
    const port: ProxyServicePort = { ...base, externalIPs: [], loadBalancerIPs: [], nodePort: 0, endpoints, ...picked };
    const table = { ports: new Map([[port.id, port]]) };
    await backend.sync({ table, changed: undefined });
    const listed = (await host.exec("nft", ["list", "sets", "ip"])).stdout;
    const set = /set (affinity-\S+)/.exec(listed)?.[1] ?? "";
    await host.exec("nft", ["add", "element", "ip", "kube-proxy", set, "{ 10.244.0.7 }"]);
    await backend.sync({ table, changed: undefined });
    expect((await host.exec("nft", ["list", "set", "ip", "kube-proxy", set])).stdout).toContain("10.244.0.7");
  });

  test("says what is missing where nft is not installed", async () => {
    const exec = async (): Promise<never> => {
      throw Object.assign(new Error("spawn nft ENOENT"), { code: "ENOENT" });
    };
    const sync = new NftablesProxy({ exec }).sync({ table: { ports: new Map() }, changed: undefined });
    await expect(sync).rejects.toMatchObject({
      code: "unsupported",
      message: expect.stringMatching(/nftables has it/),
    });
  });
});
