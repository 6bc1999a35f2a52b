import { afterEach, describe, expect, test } from "vitest";
import { type EndpointSlice, endpointSlices, type Node, nodes, type Service, services } from "../api/index.js";
import { createClient } from "../client/index.js";
import { seededRandom } from "../internal/random.js";
import { VirtualClock } from "../internal/virtual-clock.js";
import { FakeApi } from "../testing/fake-api.js";
import { createProxy, type ProxyOptions } from "./component.js";
import type { ServiceHealth } from "./health-checks.js";
import type { PageListener, Pages } from "./pages.js";
import { type ProxyBackend, ProxyError, type ServiceTable, type ServiceTableUpdate } from "./proxy.js";

const unborn = { uid: "", resourceVersion: "", creationTimestamp: "" };

const makeService = (name: string, spec: Service["spec"] = {}, labels: Record<string, string> = {}): Service => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { name, namespace: "default", labels, ...unborn },
  spec: { type: "ClusterIP", clusterIP: "10.96.0.10", ports: [{ name: "http", port: 80 }], ...spec },
});
const makeSlice = (service: string, suffix: string, endpoints: EndpointSlice["endpoints"]): EndpointSlice => ({
  apiVersion: "discovery.k8s.io/v1",
  kind: "EndpointSlice",
  metadata: {
    name: `${service}-${suffix}`,
    namespace: "default",
    labels: { "kubernetes.io/service-name": service },
    ...unborn,
  },
  addressType: "IPv4",
  ports: [{ name: "http", port: 8080, protocol: "TCP" }],
  endpoints: endpoints ?? [],
});
const makeNode = (zone: string): Node => ({
  apiVersion: "v1",
  kind: "Node",
  metadata: { name: "n1", labels: { "topology.kubernetes.io/zone": zone }, ...unborn },
});

class RecordingBackend implements ProxyBackend {
  readonly name = "recording";
  readonly updates: ServiceTableUpdate[] = [];
  failures: Error[] = [];
  intact = true;
  disposed = 0;

  get table(): ServiceTable {
    return this.updates.at(-1)?.table ?? { ports: new Map() };
  }
  async sync(update: ServiceTableUpdate): Promise<void> {
    this.updates.push(update);
    const failure = this.failures.shift();
    if (failure !== undefined) throw failure;
  }
  async check(): Promise<boolean> {
    return this.intact;
  }
  async [Symbol.asyncDispose](): Promise<void> {
    this.disposed++;
  }
}

describe("createProxy", () => {
  const stops: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const stop of stops.splice(0)) await stop();
  });

  async function start(options: Partial<ProxyOptions> = {}) {
    const clock = new VirtualClock();
    const api = new FakeApi({ clock, random: seededRandom(1) });
    const client = createClient(api);
    const backend = new RecordingBackend();
    const stop = new AbortController();
    let ready = false;
    let running: Promise<void> = Promise.resolve();
    const run = async (): Promise<void> => {
      const proxy = createProxy({ client, backend, nodeName: "n1", clock, random: seededRandom(2), ...options });
      running = proxy.run({
        signal: stop.signal,
        ready: () => {
          ready = true;
        },
      });
      running.catch(() => {});
      await clock.advance(0);
    };
    const end = async (): Promise<void> => {
      stop.abort();
      await clock.advance(0);
      await running;
    };
    stops.push(() => end().catch(() => {}));
    return { clock, client, backend, run, end, running: () => running, isReady: () => ready };
  }

  const ips = (table: ServiceTable): readonly string[] =>
    [...table.ports.values()].flatMap((port) => port.clusterEndpoints.map(({ ip }) => ip));

  test("gives the whole table first, then what changed", async () => {
    const { clock, client, backend, run, isReady } = await start();
    await client.create(services, makeService("web"));
    await client.create(services, makeService("other", { clusterIP: "10.96.0.11" }));
    await client.create(endpointSlices, makeSlice("web", "a", [{ addresses: ["10.0.0.1"] }]));
    await run();
    expect(isReady()).toBe(true);
    expect(backend.updates).toHaveLength(1);
    expect(backend.updates[0]?.changed).toBeUndefined();
    expect([...backend.table.ports.keys()].sort()).toEqual(["default/other:http/4", "default/web:http/4"]);
    expect(ips(backend.table)).toEqual(["10.0.0.1"]);
    const before = backend.table;
    await client.create(endpointSlices, makeSlice("web", "b", [{ addresses: ["10.0.0.2"] }]));
    await clock.advance(200);
    expect(backend.updates).toHaveLength(2);
    expect([...(backend.updates[1]?.changed ?? [])]).toEqual(["default/web:http/4"]);
    expect(ips(backend.table)).toEqual(["10.0.0.1", "10.0.0.2"]);
    expect(ips(before)).toEqual(["10.0.0.1"]);
    expect(backend.table.ports.get("default/other:http/4")).toBe(before.ports.get("default/other:http/4"));
    await client.delete(services, { namespace: "default", name: "web" });
    await clock.advance(200);
    expect([...(backend.updates[2]?.changed ?? [])]).toEqual(["default/web:http/4"]);
    expect([...backend.table.ports.keys()]).toEqual(["default/other:http/4"]);
  });

  test("leaves alone what is not its own", async () => {
    const { client, backend, run } = await start();
    const none = { clusterIP: "None" };
    await client.create(services, makeService("headless", none));
    await client.create(services, makeService("labelled", {}, { "service.kubernetes.io/headless": "" }));
    await client.create(services, makeService("other", {}, { "service.kubernetes.io/service-proxy-name": "mine" }));
    await client.create(services, makeService("external", { type: "ExternalName", externalName: "example.org" }));
    await client.create(services, makeService("unset", { clusterIP: "" }));
    await run();
    expect(backend.table.ports.size).toBe(0);
  });

  test("makes many changes one table, and none of changes that mean nothing", async () => {
    const { clock, client, backend, run } = await start({ minSyncPeriodMs: 1000 });
    await client.create(services, makeService("web"));
    await run();
    for (let index = 0; index < 50; index++) {
      await client.create(endpointSlices, makeSlice("web", `s${index}`, [{ addresses: [`10.0.0.${index + 1}`] }]));
      await clock.advance(10);
    }
    await clock.advance(5000);
    expect(ips(backend.table)).toHaveLength(50);
    expect(backend.updates.length).toBeLessThanOrEqual(4);
    const before = backend.updates.length;
    const service = await client.get(services, { namespace: "default", name: "web" });
    await client.update(services, { ...service, metadata: { ...service.metadata, annotations: { a: "b" } } });
    await clock.advance(5000);
    expect(backend.updates).toHaveLength(before);
  });

  test("follows the zone of its node", async () => {
    const { clock, client, backend, run } = await start();
    await client.create(nodes, makeNode("z1"));
    await client.create(services, makeService("web"));
    const hinted = (ip: string, zone: string) => ({ addresses: [ip], hints: { forZones: [{ name: zone }] } });
    await client.create(endpointSlices, makeSlice("web", "a", [hinted("10.0.0.1", "z1"), hinted("10.0.0.2", "z2")]));
    await run();
    expect(ips(backend.table)).toEqual(["10.0.0.1"]);
    const node = await client.get(nodes, { name: "n1" });
    await client.update(nodes, {
      ...node,
      metadata: { ...node.metadata, labels: { "topology.kubernetes.io/zone": "z2" } },
    });
    await clock.advance(500);
    expect(ips(backend.table)).toEqual(["10.0.0.2"]);
  });

  test("assumes nothing after a failure, and is ready only after a success", async () => {
    const { clock, client, backend, run, isReady } = await start();
    backend.failures = [new Error("first"), new Error("second")];
    await client.create(services, makeService("web"));
    await run();
    expect(isReady()).toBe(false);
    await clock.advance(10_000);
    expect(isReady()).toBe(true);
    expect(backend.updates.map(({ changed }) => changed)).toEqual([undefined, undefined, undefined]);
  });

  test("ends with the reason when the host can never do it", async () => {
    const { backend, run, running } = await start();
    backend.failures = [new ProxyError("unsupported", "no such thing here")];
    await run();
    await expect(running()).rejects.toThrow("no such thing here");
    expect(backend.disposed).toBe(1);
  });

  test("repairs damage, and looks at everything now and then", async () => {
    const { clock, backend, run } = await start({ checkPeriodMs: 1000, fullSyncPeriodMs: 60_000 });
    await run();
    await clock.advance(5000);
    expect(backend.updates).toHaveLength(1);
    backend.intact = false;
    await clock.advance(1000);
    backend.intact = true;
    expect(backend.updates).toHaveLength(2);
    expect(backend.updates[1]?.changed).toBeUndefined();
    await clock.advance(59_000);
    expect(backend.updates).toHaveLength(2);
    await clock.advance(3000);
    expect(backend.updates).toHaveLength(3);
  });

  test("disposes its backend when it stops, unless it is to keep it", async () => {
    for (const keep of [false, true]) {
      const { backend, run, end } = await start({ keep });
      await run();
      await end();
      expect(backend.disposed).toBe(keep ? 0 : 1);
    }
  });

  test("serves health check node ports", async () => {
    const open = new Map<number, () => ServiceHealth>();
    const { clock, client, run, end } = await start({
      healthChecks: async (port, health) => {
        open.set(port, health);
        return {
          async [Symbol.asyncDispose]() {
            open.delete(port);
          },
        };
      },
    });
    await client.create(services, makeService("web", { type: "LoadBalancer", healthCheckNodePort: 32_000 }));
    const local = { addresses: ["10.0.0.1"], nodeName: "n1" };
    await client.create(endpointSlices, makeSlice("web", "a", [local, { addresses: ["10.0.0.2"], nodeName: "n2" }]));
    await run();
    const expected = { namespace: "default", name: "web", localEndpoints: 1, proxyHealthy: true };
    expect(open.get(32_000)?.()).toEqual(expected);
    // Its pods have addresses of the other family as well.
    const both = { clusterIP: "10.96.0.1", clusterIPs: ["10.96.0.1", "fd00:96::1"] };
    const six = { ...makeSlice("web", "b", [{ ...local, addresses: ["FD00:0::1"] }]), addressType: "IPv6" };
    await client.create(endpointSlices, six);
    await client.patch(services, { namespace: "default", name: "web" }, { type: "merge", body: { spec: both } });
    await clock.advance(500);
    expect(open.get(32_000)?.()).toEqual(expected);
    for (const name of ["web-a", "web-b"]) await client.delete(endpointSlices, { namespace: "default", name });
    await clock.advance(500);
    expect(open.get(32_000)?.()).toEqual({ ...expected, localEndpoints: 0 });
    await end();
    expect(open.size).toBe(0);
  });

  describe("pages", () => {
    async function startWithPages(options: Partial<ProxyOptions> = {}) {
      const served: Pages[] = [];
      const closed: Pages[] = [];
      const listen: PageListener = async (pages) => {
        served.push(pages);
        return { [Symbol.asyncDispose]: async () => void closed.push(pages) };
      };
      const setup = await start({ healthPages: listen, metricsPages: listen, ...options });
      await setup.run();
      const [health, metrics] = served;
      const read = (pages: Pages | undefined, path: string) => pages?.(path);
      return {
        ...setup,
        closed,
        health: (path: string) => read(health, path),
        metrics: (path: string) => read(metrics, path),
        figure: (name: string) =>
          read(metrics, "/metrics")
            ?.text.split("\n")
            .find((line) => line.startsWith(`${name} `))
            ?.slice(name.length + 1),
      };
    }

    test("tell of health in kube-proxy's words, and of a node that is about to go", async () => {
      const { clock, client, health } = await startWithPages();
      await client.create(nodes, makeNode("z1"));
      await clock.advance(10_000);
      const now = `${new Date(clock.now())
        .toISOString()
        .replace("T", " ")
        .replace(/\.?0*Z$/, "")} +0000 UTC`;
      expect(health("/healthz")).toEqual({
        code: 200,
        contentType: "application/json",
        text: `{"lastUpdated": "${now}","currentTime": "${now}", "nodeEligible": true}`,
      });
      expect(health("/livez")?.text).toBe(`{"lastUpdated": "${now}","currentTime": "${now}"}`);
      expect(health("/readyz")).toBeUndefined();
      const taint = { key: "ToBeDeletedByClusterAutoscaler", value: "1", effect: "NoSchedule" };
      await client.patch(nodes, { name: "n1" }, { type: "merge", body: { spec: { taints: [taint] } } });
      await clock.advance(0);
      expect(health("/healthz")).toMatchObject({ code: 503, text: expect.stringContaining('"nodeEligible": false') });
      expect(health("/livez")?.code).toBe(200);
      await client.patch(nodes, { name: "n1" }, { type: "merge", body: { spec: { taints: null } } });
      await clock.advance(0);
      expect(health("/healthz")?.code).toBe(200);
    });

    test("tell when a change takes too long to get into effect", async () => {
      const { clock, client, backend, health } = await startWithPages();
      await clock.advance(1000);
      backend.failures = Array.from({ length: 8 }, () => new Error("no luck"));
      await client.create(services, makeService("web"));
      await clock.advance(59_000);
      expect(health("/healthz")?.code).toBe(200);
      await clock.advance(2000);
      expect(health("/healthz")?.code).toBe(503);
      expect(health("/livez")?.code).toBe(503);
      backend.failures = [];
      await clock.advance(60_000);
      expect(health("/livez")?.code).toBe(200);
    });

    test("tell figures by kube-proxy's names", async () => {
      const { clock, client, backend, metrics, figure, health } = await startWithPages();
      expect(metrics("/healthz")).toEqual({ code: 200, text: "ok" });
      expect(metrics("/proxyMode")).toEqual({ code: 200, text: "recording" });
      await client.create(services, makeService("web", { internalTrafficPolicy: "Local" }));
      const elsewhere = [{ addresses: ["10.0.0.1"], nodeName: "n2" }];
      await client.create(endpointSlices, makeSlice("web", "a", elsewhere));
      await clock.advance(200);
      expect(figure("kubeproxy_sync_proxy_rules_duration_seconds_count")).toBe(String(backend.updates.length));
      expect(figure("kubeproxy_sync_proxy_rules_service_changes_total")).toBe("1");
      expect(figure("kubeproxy_sync_proxy_rules_endpoint_changes_total")).toBe("1");
      expect(figure("kubeproxy_sync_proxy_rules_service_changes_pending")).toBe("0");
      expect(figure('kubeproxy_sync_proxy_rules_no_local_endpoints_total{traffic_policy="internal"}')).toBe("1");
      expect(figure('kubeproxy_sync_proxy_rules_no_local_endpoints_total{traffic_policy="external"}')).toBe("0");
      backend.failures = [new Error("no luck")];
      await client.create(services, makeService("other", { clusterIP: "10.96.0.11" }));
      await clock.advance(200);
      expect(figure("kubeproxy_sync_proxy_rules_service_changes_pending")).toBe("1");
      health("/livez");
      expect(figure('kubeproxy_proxy_livez_total{code="200"}')).toBe("1");
      expect(metrics("/metrics")?.text).toContain("# TYPE process_resident_memory_bytes gauge\n");
    });

    test("tell how long changes took to get into effect, but not those of before", async () => {
      const { clock, client, figure } = await startWithPages();
      const began = clock.now();
      const changed = async (suffix: string, ms: number): Promise<void> => {
        const slice = makeSlice("web", suffix, [{ addresses: ["10.0.0.1"] }]);
        const time = { "endpoints.kubernetes.io/last-change-trigger-time": new Date(ms).toISOString() };
        await client.create(endpointSlices, { ...slice, metadata: { ...slice.metadata, annotations: time } });
      };
      await client.create(services, makeService("web"));
      await clock.advance(5000);
      await changed("a", began - 1000);
      await changed("b", began + 2000);
      await clock.advance(200);
      expect(figure("kubeproxy_network_programming_duration_seconds_count")).toBe("1");
      expect(Number(figure("kubeproxy_network_programming_duration_seconds_sum"))).toBeCloseTo(3, 0);
      expect(figure('kubeproxy_network_programming_duration_seconds_bucket{le="2"}')).toBe("0");
      expect(figure('kubeproxy_network_programming_duration_seconds_bucket{le="4"}')).toBe("1");
    });

    test("tell of what changed while something else is put into effect", async () => {
      const { clock, client, backend, figure, health } = await startWithPages();
      await clock.advance(1000);
      let finish = (): void => {};
      const slow = new Promise<void>((resolve) => {
        finish = resolve;
      });
      const sync = backend.sync.bind(backend);
      backend.sync = async (update) => {
        await slow;
        await sync(update);
      };
      await client.create(services, makeService("web"));
      await clock.advance(1000);
      await client.create(services, makeService("other", { clusterIP: "10.96.0.11" }));
      await clock.advance(58_000);
      expect(figure("kubeproxy_sync_proxy_rules_service_changes_pending")).toBe("2");
      expect(health("/livez")?.code).toBe(200);
      await clock.advance(2000);
      expect(health("/livez")?.code).toBe(503);
      finish();
      await clock.advance(1000);
      expect(figure("kubeproxy_sync_proxy_rules_service_changes_pending")).toBe("0");
      expect(health("/livez")?.code).toBe(200);
    });

    test("are served again where that failed, and no more at the end", async () => {
      let attempts = 0;
      let closed = 0;
      const metricsPages: PageListener = async () => {
        attempts++;
        if (attempts < 3) throw new Error("taken");
        return { [Symbol.asyncDispose]: async () => void closed++ };
      };
      const { clock, end } = await startWithPages({ metricsPages });
      expect(attempts).toBe(1);
      await clock.advance(5000);
      await clock.advance(5000);
      expect(attempts).toBe(3);
      await end();
      expect(closed).toBe(1);
      expect(clock.pending).toBe(0);
    });
  });
});
