import { createServer, type Server } from "node:net";
import { type ProxyBackend, type ProxyServicePort, pickEndpoints } from "coxswain/proxy";
import { type Exec, hostExec, IptablesProxy } from "coxswain/proxy/iptables";
import { NftablesProxy } from "coxswain/proxy/nftables";
import { UserspaceProxy } from "coxswain/proxy/userspace";
import { cost, median, type Row } from "./rows.js";

const services = 5000;
const changes = 9;

/** Full and one-change sync of 5,000 services with 2 endpoints each, per backend that works on this host. */
export async function run(): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (const variant of ["iptables-nft", "iptables-legacy"] as const) rows.push(...(await iptables(variant)));
  rows.push(...(await nftables()));
  rows.push(...(await userspace()));
  return rows;
}

/** In a network namespace of its own. The baseline is iptables-restore alone: of the same rules at once, and of nothing. */
async function iptables(variant: "iptables-nft" | "iptables-legacy"): Promise<readonly Row[]> {
  const host = hostExec();
  const netns = `cxbench${process.pid}`;
  const made = await host("ip", ["netns", "add", netns]);
  if (made.code !== 0) return [];
  try {
    const exec = hostExec({ netns: `/run/netns/${netns}` });
    await using backend = new IptablesProxy({ exec, variant, clusterCidr: "10.0.0.0/8" });
    const measured = await measure(backend, "10");
    const empty = median(await times(changes, () => restore(exec, variant, "*nat\nCOMMIT\n", "--noflush")));
    const saved = (await exec(`${variant}-save`, ["-t", "nat"])).stdout;
    await exec(variant, ["-t", "nat", "-F"]);
    await exec(variant, ["-t", "nat", "-X"]);
    const bare = await time(() => restore(exec, variant, saved));
    return [
      cost(`services-5000 ${variant} full`, measured.full, "ms", bare),
      cost(`services-5000 ${variant} one change`, measured.one, "ms", empty),
    ];
  } finally {
    await host("ip", ["netns", "del", netns]);
  }
}

/** In a network namespace of its own. The baseline is nft alone: with the same table, and with nothing. */
async function nftables(): Promise<readonly Row[]> {
  const host = hostExec();
  const netns = `cxbench${process.pid}`;
  const made = await host("ip", ["netns", "add", netns]);
  if (made.code !== 0) return [];
  try {
    const exec = hostExec({ netns: `/run/netns/${netns}` });
    await using backend = new NftablesProxy({ exec, clusterCidr: "10.0.0.0/8" });
    const measured = await measure(backend, "10");
    const load = async (stdin: string): Promise<void> => {
      const { code, stderr } = await exec("nft", ["-f", "-"], { stdin });
      if (code !== 0) throw new Error(stderr);
    };
    const empty = median(await times(changes, () => load("add table ip empty\n")));
    const saved = (await exec("nft", ["list", "ruleset"])).stdout;
    await exec("nft", ["flush", "ruleset"]);
    const bare = await time(() => load(saved));
    return [
      cost("services-5000 nftables full", measured.full, "ms", bare),
      cost("services-5000 nftables one change", measured.one, "ms", empty),
    ];
  } finally {
    await host("ip", ["netns", "del", netns]);
  }
}

async function restore(exec: Exec, variant: string, stdin: string, ...args: readonly string[]): Promise<void> {
  const { code, stderr } = await exec(`${variant}-restore`, args, { stdin });
  if (code !== 0) throw new Error(stderr);
}

/** The baseline is as many bare listeners, and one. */
async function userspace(): Promise<readonly Row[]> {
  const servers: Server[] = [];
  const listen = async (index: number): Promise<void> => {
    const server = createServer();
    servers.push(server);
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject).listen(8080, address("127.211", index), resolve);
    });
  };
  const bare = await time(() => Promise.all(Array.from({ length: services }, (_, index) => listen(index))));
  const single = median(await times(changes, (round) => listen(services + round)));
  for (const server of servers) server.close();
  await using backend = new UserspaceProxy({ nodeAddresses: [] });
  const measured = await measure(backend, "127");
  return [
    cost("services-5000 userspace full", measured.full, "ms", bare),
    cost("services-5000 userspace one change", measured.one, "ms", single),
  ];
}

async function measure(backend: ProxyBackend, block: string): Promise<{ readonly full: number; readonly one: number }> {
  let ports: ReadonlyMap<string, ProxyServicePort> = new Map(
    Array.from({ length: services }, (_, index) => servicePort(block, index, 1)).map((port) => [port.id, port]),
  );
  const full = await time(() => backend.sync({ table: { ports }, changed: undefined }));
  const one = await times(changes, async (round) => {
    const port = servicePort(block, round * 100, 2 + round);
    ports = new Map([...ports, [port.id, port]]);
    await backend.sync({ table: { ports }, changed: new Set([port.id]) });
  });
  return { full, one: median(one) };
}

function address(net: string, index: number): string {
  return `${net}.${index >> 8}.${index & 255}`;
}

function servicePort(block: string, index: number, host: number): ProxyServicePort {
  const usual = {
    port: 8080,
    ready: true,
    serving: true,
    terminating: false,
    local: false,
    forZones: [],
    forNodes: [],
  };
  const endpoints = [200, 201].map((net) => ({ ip: address(`${block}.${net}`, index * 2 + host), ...usual }));
  const port = {
    id: `default/service-${index}:/4`,
    namespace: "default",
    name: `service-${index}`,
    portName: "",
    family: 4,
    protocol: "TCP",
    clusterIP: address(`${block}.210`, index),
    port: 80,
    nodePort: 0,
    externalIPs: [],
    loadBalancerIPs: [],
    loadBalancerSourceRanges: [],
    affinitySeconds: undefined,
    internalTrafficPolicy: "Cluster",
    externalTrafficPolicy: "Cluster",
    healthCheckNodePort: 0,
  } as const;
  return { ...port, endpoints, ...pickEndpoints(port, endpoints, { nodeName: "bench", zone: undefined }) };
}

async function time(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

async function times(count: number, work: (round: number) => Promise<unknown>): Promise<readonly number[]> {
  const result: number[] = [];
  for (let round = 0; round < count; round++) result.push(await time(() => work(round)));
  return result;
}
