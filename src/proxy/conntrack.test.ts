import { describe, expect, test } from "vitest";
import { ConntrackCleaner } from "./conntrack.js";
import type { Exec } from "./exec.js";
import type { ProxyServicePort } from "./proxy.js";

const flows = `udp      17 25 src=10.244.0.9 dst=10.96.0.10 sport=41053 dport=53 src=10.244.0.2 dst=10.244.0.9 sport=5353 dport=41053 [ASSURED] mark=0 use=1
udp      17 25 src=10.244.0.9 dst=10.96.0.10 sport=41054 dport=53 src=10.244.0.3 dst=10.244.0.9 sport=5353 dport=41054 mark=0 use=1
udp      17 25 src=10.244.0.8 dst=10.96.0.10 sport=41055 dport=53 src=10.244.0.3 dst=10.244.0.8 sport=5353 dport=41055 mark=0 use=1
udp      17 29 src=10.0.0.99 dst=10.0.0.1 sport=5000 dport=30053 [UNREPLIED] src=10.0.0.1 dst=10.0.0.99 sport=30053 dport=5000 mark=0 use=1
udp      17 29 src=10.0.0.1 dst=10.0.0.53 sport=5001 dport=53 src=10.0.0.53 dst=10.0.0.1 sport=53 dport=5001 mark=0 use=1
`;

const flowsOf6 = `udp      17 25 src=fd00:244::9 dst=fd00:96::10 sport=41053 dport=53 src=fd00:244::2 dst=fd00:244::9 sport=5353 dport=41053 mark=0 use=1
udp      17 29 src=fd00:10::99 dst=fd00:10::1 sport=5000 dport=30053 src=fd00:244::2 dst=fd00:10::99 sport=5353 dport=5000 mark=0 use=1
`;

const port = (protocol: "UDP" | "TCP", ips: readonly string[], family: 4 | 6 = 4): ProxyServicePort => {
  const usual = { ready: true, serving: true, terminating: false, local: true, forZones: [], forNodes: [] };
  const endpoints = ips.map((ip) => ({ ip, port: 5353, ...usual }));
  return {
    id: `kube-system/dns:/${family}`,
    namespace: "kube-system",
    name: "dns",
    portName: "",
    family,
    protocol,
    clusterIP: family === 4 ? "10.96.0.10" : "fd00:96::10",
    port: 53,
    nodePort: 30_053,
    externalIPs: [],
    loadBalancerIPs: [],
    loadBalancerSourceRanges: [],
    affinitySeconds: undefined,
    internalTrafficPolicy: "Cluster",
    externalTrafficPolicy: "Cluster",
    healthCheckNodePort: 0,
    endpoints,
    clusterEndpoints: endpoints,
    localEndpoints: [],
    hasEndpoints: endpoints.length > 0,
  };
};

async function deleted(
  now: readonly ProxyServicePort[],
  gone: readonly ProxyServicePort[],
): Promise<readonly string[]> {
  const calls: string[] = [];
  const exec: Exec = async (_, args) => {
    if (args[0] === "-D") calls.push(args.slice(5).join(" "));
    const listed = args[2] === "ipv6" ? flowsOf6 : flows;
    return { code: 0, stdout: args[0] === "-L" ? listed : "", stderr: "" };
  };
  await new ConntrackCleaner(exec).clean(now, gone);
  return calls;
}

const to3 = "--orig-dst 10.96.0.10 --orig-port-dst 53 --reply-src 10.244.0.3";
const to2 = "--orig-dst 10.96.0.10 --orig-port-dst 53 --reply-src 10.244.0.2";
const nodePort = "--orig-dst 10.0.0.1 --orig-port-dst 30053 --reply-src 10.0.0.1";

describe("ConntrackCleaner", () => {
  test("ends flows to endpoints that are gone, once each, and those from when there were none", async () => {
    expect(await deleted([port("UDP", ["10.244.0.2"])], [])).toEqual([to3, nodePort]);
  });

  test("ends all flows of a service that is gone, and none of others", async () => {
    expect(await deleted([], [port("UDP", ["10.244.0.2"])])).toEqual([to2, to3, nodePort]);
  });

  test("does not take flows of one family for those of the other", async () => {
    expect(await deleted([port("UDP", ["10.244.0.2"])], [])).not.toContainEqual(expect.stringContaining("fd00"));
    expect(await deleted([port("UDP", ["fd00:244::2"], 6)], [])).toEqual([]);
    expect(await deleted([port("UDP", ["fd00:244::3"], 6)], [])).toEqual([
      "--orig-dst fd00:96::10 --orig-port-dst 53 --reply-src fd00:244::2",
      "--orig-dst fd00:10::1 --orig-port-dst 30053 --reply-src fd00:244::2",
    ]);
  });

  test("leaves TCP alone, without even looking", async () => {
    expect(await deleted([port("TCP", [])], [])).toEqual([]);
  });

  test("does without conntrack where it is not installed, and says so once", async () => {
    const warnings: string[] = [];
    const ignore = (): void => {};
    const logger = {
      debug: ignore,
      info: ignore,
      error: ignore,
      warn: (message: string) => void warnings.push(message),
    };
    const cleaner = new ConntrackCleaner(async () => {
      throw Object.assign(new Error("spawn conntrack ENOENT"), { code: "ENOENT" });
    }, logger);
    await cleaner.clean([port("UDP", [])], []);
    await cleaner.clean([port("UDP", [])], []);
    expect(warnings).toHaveLength(1);
  });
});
