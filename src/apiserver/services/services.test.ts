import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { builtinDescriptions } from "../../api/describe/index.js";
import { ipAddresses, type Service, type ServiceSpec, serviceCIDRs, services } from "../../api/index.js";
import { builtinStrategies } from "../../api/kinds/index.js";
import { type Client, createClient } from "../../client/index.js";
import { MemoryStore } from "../../store/index.js";
import { ApiServer } from "../server.js";
import { serviceHooks } from "./service-hooks.js";

let stop: AbortController;
let client: Client;
let running: Promise<void>;

beforeEach(async () => {
  stop = new AbortController();
  const store = new MemoryStore();
  const resources = builtinDescriptions(builtinStrategies);
  const nodePorts = { from: 30_000, to: 30_003 };
  const server = new ApiServer({ store, resources, hooks: (api) => serviceHooks(api, { store, nodePorts }) });
  await new Promise<void>((ready) => {
    running = server.component.run({ signal: stop.signal, ready });
  });
  client = createClient(server.transport());
});

afterEach(async () => {
  stop.abort();
  await running;
});

const port = { name: "a", port: 80 };

function create(name: string, spec: Partial<ServiceSpec>): Promise<Service> {
  return client.create(services, {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace: "default" },
    spec: { selector: { app: "web" }, ports: [port], ...spec },
  });
}

const refusals: readonly { readonly name: string; readonly spec: Partial<ServiceSpec>; readonly why: string }[] = [
  {
    name: "two families that must be",
    spec: { ipFamilyPolicy: "RequireDualStack" },
    why: 'spec.ipFamilyPolicy: Invalid value: "RequireDualStack": this cluster is not configured for dual-stack services',
  },
  {
    name: "the other family",
    spec: { ipFamilies: ["IPv6"] },
    why: 'spec.ipFamilies[0]: Invalid value: "IPv6": not configured on this cluster',
  },
  {
    name: "an address of the other family",
    spec: { clusterIP: "2001:db8::1" },
    why: 'spec.clusterIPs[0]: Invalid value: ["2001:db8::1"]: IPv6 is not configured on this cluster',
  },
  {
    name: "two families on a single stack",
    spec: { ipFamilies: ["IPv4", "IPv6"] },
    why: "spec.ipFamilyPolicy: Invalid value: \"SingleStack\": must be 'RequireDualStack' or 'PreferDualStack' when multiple IP families are specified",
  },
  {
    name: "an address out of the range",
    spec: { clusterIP: "10.0.0.1" },
    why: 'spec.clusterIPs: Invalid value: ["10.0.0.1"]: failed to allocate IP 10.0.0.1: the provided network does not match the current range',
  },
  {
    name: "the address of the network itself",
    spec: { clusterIP: "10.96.0.0" },
    why: 'spec.clusterIPs: Invalid value: ["10.96.0.0"]: failed to allocate IP 10.96.0.0: the provided network does not match the current range',
  },
  {
    name: "a node port out of the range",
    spec: { type: "NodePort", ports: [{ ...port, nodePort: 80 }] },
    why: "spec.ports[0].nodePort: Invalid value: 80: provided port is not in the valid range. The range of valid ports is 30000-30003",
  },
];

describe("the addresses and ports of services", () => {
  it.each(refusals)("refuses $name", async ({ spec, why }) => {
    await expect(create("web", spec)).rejects.toThrow(`Service "web" is invalid: ${why}`);
  });

  it("leaves the families to a headless service without a selector", async () => {
    const { spec } = await create("web", { clusterIP: "None", selector: {} });
    expect(spec).toMatchObject({ ipFamilyPolicy: "RequireDualStack", ipFamilies: ["IPv4", "IPv6"] });
  });

  it("gives out a node port once, but to all protocols of one port number", async () => {
    const ports = [port, { name: "b", port: 80, protocol: "UDP", nodePort: 30_001 }];
    const { spec } = await create("web", { type: "NodePort", ports });
    expect(spec?.ports?.map(({ nodePort }) => nodePort)).toEqual([30_001, 30_001]);
    await expect(create("other", { type: "NodePort", ports })).rejects.toThrow(
      "spec.ports[0].nodePort: Invalid value: 30001: provided port is already allocated",
    );
  });

  it("gives a balancer the health check port that it asks for, and no other ports where it wants none", async () => {
    const local: Partial<ServiceSpec> = {
      type: "LoadBalancer",
      externalTrafficPolicy: "Local",
      allocateLoadBalancerNodePorts: false,
      healthCheckNodePort: 30_002,
    };
    const { spec } = await create("web", local);
    expect(spec?.healthCheckNodePort).toBe(30_002);
    expect(spec?.ports?.[0]?.nodePort).toBeUndefined();
    await expect(create("other", local)).rejects.toThrow(
      "Internal error occurred: failed to allocate requested HealthCheck NodePort 30002: provided port is already allocated",
    );
  });

  it("frees what a service holds when it becomes a name of something else", async () => {
    const ports = [{ ...port, nodePort: 30_003 }];
    const before = await create("web", { type: "NodePort", ports });
    const { clusterIP: ip = "", ...spec } = before.spec ?? {};
    await client.update(services, { ...before, spec: { ...spec, type: "ExternalName", externalName: "example.com" } });
    const after = await create("other", { type: "NodePort", ports, clusterIP: ip });
    expect(after.spec).toMatchObject({ clusterIP: ip, ports: [{ nodePort: 30_003 }] });
  });

  it("answers that the ports are used up", async () => {
    const ports = [1, 2, 3, 4, 5].map((number) => ({ name: `p${number}`, port: number }));
    await expect(create("web", { type: "NodePort", ports })).rejects.toThrow(
      "Internal error occurred: failed to allocate a nodePort: range is full",
    );
    // What it had taken is free again.
    expect((await create("web", { type: "NodePort", ports: ports.slice(0, 4) })).spec?.ports).toHaveLength(4);
  });

  describe("from several ServiceCIDRs", () => {
    const range = (name: string, ...cidrs: readonly string[]): Promise<unknown> =>
      client.create(serviceCIDRs, {
        apiVersion: "networking.k8s.io/v1",
        kind: "ServiceCIDR",
        metadata: { name, finalizers: ["example.com/hold"] },
        spec: { cidrs },
      });
    const ready = (name: string, status: string): Promise<unknown> => {
      const lastTransitionTime = "2026-01-01T00:00:00Z";
      const body = { status: { conditions: [{ type: "Ready", status, reason: "", message: "", lastTransitionTime }] } };
      return client.patch(serviceCIDRs, { name }, { type: "merge", body }, { subresource: "status" });
    };
    const addressOf = async (name: string): Promise<string | undefined> => (await create(name, {})).spec?.clusterIP;

    it("goes on in the next when one is full", async () => {
      await range("kubernetes", "10.0.0.0/29");
      await range("more", "10.0.1.0/30", "2001:db8::/64");
      const given: (string | undefined)[] = [];
      for (let i = 0; i < 8; i++) given.push(await addressOf(`s${i}`));
      expect(given.slice(0, 6).sort()).toEqual([1, 2, 3, 4, 5, 6].map((last) => `10.0.0.${last}`));
      expect(given.slice(6).sort()).toEqual(["10.0.1.1", "10.0.1.2"]);
      await expect(addressOf("s8")).rejects.toThrow("failed to allocate a serviceIP: range is full");
    });

    it("takes nothing from one that is not ready or going", async () => {
      await range("kubernetes", "10.0.0.0/29");
      await range("more", "10.0.1.0/29");
      expect((await create("a", { clusterIP: "10.0.1.3" })).spec?.clusterIP).toBe("10.0.1.3");
      await ready("more", "False");
      const mismatch = "failed to allocate IP 10.0.1.4: the provided network does not match the current range";
      await expect(create("b", { clusterIP: "10.0.1.4" })).rejects.toThrow(mismatch);
      await ready("more", "True");
      await client.delete(serviceCIDRs, { name: "more" });
      await expect(create("b", { clusterIP: "10.0.1.4" })).rejects.toThrow(mismatch);
      // What was taken from it can still be given back.
      await client.delete(services, { namespace: "default", name: "a" });
      expect((await client.list(ipAddresses)).items).toEqual([]);
    });
  });
});
