import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { endpointSlices, services } from "../../src/api/index.js";
import { type ControlPlane, startControlPlane } from "../../src/cluster/control-plane.js";
import { createProxy } from "../../src/proxy/index.js";
import { IptablesProxy } from "../../src/proxy/iptables/index.js";
import { makeNetnsHost, type NetnsHost, podCidr } from "./support/netns-host.js";

describe("services of an API server, by iptables", () => {
  let host: NetnsHost;
  let cp: ControlPlane;
  let closeWaitBefore = "";
  const closeWait = async (): Promise<string> =>
    (await host.exec("sysctl", ["-n", "net.netfilter.nf_conntrack_tcp_timeout_close_wait"])).stdout.trim();
  const stop = new AbortController();
  let running: Promise<void>;

  beforeAll(async () => {
    host = await makeNetnsHost();
    closeWaitBefore = await closeWait();
    cp = await startControlPlane({ controllers: [], scheduler: false });
    const backend = new IptablesProxy({ exec: host.exec, clusterCidr: podCidr });
    const proxy = createProxy({
      client: cp.client,
      backend,
      nodeName: "node",
      checkPeriodMs: 200,
      minSyncPeriodMs: 20,
    });
    await new Promise<void>((resolve, reject) => {
      running = proxy.run({ signal: stop.signal, ready: resolve });
      running.catch(reject);
    });
  });
  afterAll(async () => {
    stop.abort();
    await running;
    const { stdout } = await host.exec("iptables-save", []);
    expect(stdout).not.toContain("KUBE-");
    expect(await closeWait()).toBe(closeWaitBefore);
    await cp.stop();
    await host[Symbol.asyncDispose]();
  });

  const slice = (addresses: readonly string[]) => ({
    apiVersion: "discovery.k8s.io/v1" as const,
    kind: "EndpointSlice" as const,
    metadata: { name: "web-1", namespace: "default", labels: { "kubernetes.io/service-name": "web" } },
    addressType: "IPv4",
    ports: [{ name: "http", port: 8080, protocol: "TCP" }],
    endpoints: addresses.map((address) => ({ addresses: [address], conditions: { ready: true }, nodeName: "node" })),
  });
  const dial = async (to: string, port = 80): Promise<string> => {
    const result = await host.agent(0).dial({ to, port, protocol: "TCP", timeoutMs: 700 });
    return result.outcome === "answered" ? `pod ${result.by}` : result.outcome;
  };

  test("a service is refused, answers, follows its endpoints, survives damage, and goes", async () => {
    const service = await cp.client.create(services, {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "web", namespace: "default" },
      spec: { selector: { app: "web" }, ports: [{ name: "http", port: 80, targetPort: 8080 }] },
    });
    const ip = service.spec?.clusterIP ?? "";
    expect(ip).toMatch(/^10\./);
    expect(await closeWait()).toBe("3600");
    await expect.poll(() => dial(ip), { timeout: 10_000 }).toBe("refused");
    await cp.client.create(endpointSlices, slice(["10.244.0.3"]));
    await expect.poll(() => dial(ip), { timeout: 10_000 }).toBe("pod 1");
    const { metadata } = await cp.client.get(endpointSlices, { namespace: "default", name: "web-1" });
    await cp.client.update(endpointSlices, { ...slice(["10.244.0.4"]), metadata });
    await expect.poll(() => dial(ip), { timeout: 10_000 }).toBe("pod 2");
    await host.exec("iptables", ["-t", "nat", "-F"]);
    await expect.poll(() => dial(ip), { timeout: 10_000 }).toBe("pod 2");
    await cp.client.delete(services, { namespace: "default", name: "web" });
    await expect.poll(() => dial(ip), { timeout: 10_000 }).toBe("silent");
  });
});
