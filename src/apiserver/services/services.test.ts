import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { builtinDescriptions } from "../../api/describe/index.js";
import {
  endpointSlices,
  ipAddresses,
  type Service,
  type ServiceSpec,
  serviceCIDRs,
  services,
} from "../../api/index.js";
import { builtinStrategies } from "../../api/kinds/index.js";
import { type Client, createClient } from "../../client/index.js";
import { MemoryStore } from "../../store/index.js";
import { ensureKubernetesService } from "../bootstrap/system-objects.js";
import { ApiServer } from "../server.js";
import { ipRange, serviceIpRanges } from "./ip-range.js";
import { serviceHooks } from "./service-hooks.js";

let stop: AbortController;
let client: Client;
let running: Promise<void>;

beforeEach(() => start());

async function start(serviceCidr?: string): Promise<void> {
  stop = new AbortController();
  const store = new MemoryStore();
  const resources = builtinDescriptions(builtinStrategies);
  const nodePorts = { from: 30_000, to: 30_003 };
  const server = new ApiServer({
    store,
    resources,
    hooks: (api) => serviceHooks(api, { store, nodePorts, serviceCidr }),
  });
  await new Promise<void>((ready) => {
    running = server.component.run({ signal: stop.signal, ready });
  });
  client = createClient(server.transport());
}

afterEach(end);

async function end(): Promise<void> {
  stop.abort();
  await running;
}

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

describe("the ranges that a cluster is set up with", () => {
  it.each([
    ["10.96.0.0/12", ["10.96.0.0/12"], "10.96.0.1"],
    ["10.96.3.4/16,fd00:96::/112", ["10.96.0.0/16", "fd00:96::/112"], "10.96.0.1"],
    ["fd00:96::/64, 10.96.0.0/16", ["fd00:96::/64", "10.96.0.0/16"], "fd00:96::1"],
  ])("%s", (text, cidrs, first) => {
    const ranges = serviceIpRanges(text);
    expect(ranges.map(({ cidr }) => cidr)).toEqual(cidrs);
    expect(ranges[0]?.first).toBe(first);
  });

  it.each([
    ["10.96.0.0/16,10.97.0.0/16", "has more than one block of a family"],
    ["10.96.0.0/16,fd00::/112,fd01::/112", "has more than one block of a family"],
    ["10.96.0.0/30", "is not a block of addresses"],
    ["fd00::/48", "is not a block of addresses"],
    ["10.96.0.0/16,", "is not a block of addresses"],
  ])("%s %s", (text, why) => expect(() => serviceIpRanges(text)).toThrow(why));

  it("give out no first address, and no last one of IPv4", () => {
    const [four, six] = [ipRange("10.0.0.0/29"), ipRange("fd00::/125")];
    const usable = ["10.0.0.0", "10.0.0.1", "10.0.0.6", "10.0.0.7", "fd00::1"].filter((ip) => four.contains(ip));
    expect(usable).toEqual(["10.0.0.1", "10.0.0.6"]);
    expect(["fd00::", "fd00::1", "FD00:0::7", "fd00::8"].filter((ip) => six.contains(ip))).toEqual([
      "fd00::1",
      "FD00:0::7",
    ]);
  });
});

const headless: Partial<ServiceSpec> = { clusterIP: "None" };
const anyEndpoints: Partial<ServiceSpec> = { clusterIP: "None", selector: {} };
const prefer: Partial<ServiceSpec> = { ipFamilyPolicy: "PreferDualStack" };
const require: Partial<ServiceSpec> = { ipFamilyPolicy: "RequireDualStack" };
const [v4, v6] = ["IPv4", "IPv6"] as const;
const [inFour, inSix] = ["10.96.7.7", "fd00:96::77"];

/** Families as a list; a service is refused where `why` is given, for a cluster of these ranges. */
interface FamilyRow {
  readonly name: string;
  readonly spec: Partial<ServiceSpec>;
  readonly families?: readonly string[];
  readonly policy?: string;
  readonly why?: string;
}

const familyTables: readonly { readonly ranges: string; readonly rows: readonly FamilyRow[] }[] = [
  {
    ranges: "10.96.0.0/16,fd00:96::/112",
    rows: [
      { name: "nothing said", spec: {}, families: [v4], policy: "SingleStack" },
      { name: "two preferred", spec: prefer, families: [v4, v6] },
      { name: "two required", spec: require, families: [v4, v6] },
      { name: "the other one", spec: { ipFamilies: [v6] }, families: [v6], policy: "SingleStack" },
      { name: "the other one first", spec: { ...prefer, ipFamilies: [v6] }, families: [v6, v4] },
      { name: "both, in their order", spec: { ...require, ipFamilies: [v6, v4] }, families: [v6, v4] },
      { name: "an address says it", spec: { clusterIP: inSix }, families: [v6], policy: "SingleStack" },
      { name: "an address of two", spec: { ...prefer, clusterIP: inSix }, families: [v6, v4] },
      {
        name: "two addresses",
        spec: { ...require, clusterIP: inSix, clusterIPs: [inSix, inFour] },
        families: [v6, v4],
      },
      { name: "headless", spec: headless, families: [v4], policy: "SingleStack" },
      { name: "headless, two", spec: { ...headless, ...prefer }, families: [v4, v6] },
      { name: "headless without a selector", spec: anyEndpoints, families: [v4, v6], policy: "RequireDualStack" },
      {
        name: "headless without a selector, of one",
        spec: { ...anyEndpoints, ipFamilyPolicy: "SingleStack" },
        families: [v4],
      },
      {
        name: "two families and no policy",
        spec: { ipFamilies: [v4, v6] },
        why: "spec.ipFamilyPolicy: Invalid value: \"SingleStack\": must be 'RequireDualStack' or 'PreferDualStack' when multiple IP families are specified",
      },
      {
        name: "two addresses and no policy",
        spec: { clusterIP: inFour, clusterIPs: [inFour, inSix] },
        why: "spec.ipFamilyPolicy: Invalid value: \"SingleStack\": must be 'RequireDualStack' or 'PreferDualStack' when multiple cluster IPs are specified",
      },
      {
        name: "addresses in another order than families",
        spec: { ...prefer, ipFamilies: [v4, v6], clusterIP: inSix, clusterIPs: [inSix, inFour] },
        why: "expected an IPv4 value as indicated by `ipFamilies[0]`",
      },
      {
        name: "one family twice",
        spec: { ...prefer, ipFamilies: [v4, v4] },
        why: 'spec.ipFamilies[1]: Duplicate value: "IPv4"',
      },
      {
        name: "a second address out of its range",
        spec: { ...prefer, clusterIP: inFour, clusterIPs: [inFour, "fd00:97::1"] },
        why: 'spec.clusterIPs: Invalid value: ["10.96.7.7","fd00:97::1"]: failed to allocate IP fd00:97::1: the provided network does not match the current range',
      },
    ],
  },
  {
    ranges: "fd00:96::/112,10.96.0.0/16",
    rows: [
      { name: "nothing said", spec: {}, families: [v6], policy: "SingleStack" },
      { name: "two preferred", spec: prefer, families: [v6, v4] },
      { name: "headless without a selector", spec: anyEndpoints, families: [v6, v4], policy: "RequireDualStack" },
    ],
  },
  {
    ranges: "fd00:96::/112",
    rows: [
      { name: "nothing said", spec: {}, families: [v6], policy: "SingleStack" },
      { name: "two preferred", spec: prefer, families: [v6], policy: "PreferDualStack" },
      { name: "headless without a selector", spec: anyEndpoints, families: [v6, v4], policy: "RequireDualStack" },
      {
        name: "two required",
        spec: require,
        why: 'spec.ipFamilyPolicy: Invalid value: "RequireDualStack": this cluster is not configured for dual-stack services',
      },
      { name: "the other one", spec: { ipFamilies: [v4] }, why: "not configured on this cluster" },
    ],
  },
];

const policy = (spec: Partial<ServiceSpec>): string => spec.ipFamilyPolicy ?? "";
const holders = async (): Promise<Record<string, string>> =>
  Object.fromEntries(
    (await client.list(ipAddresses)).items.map(({ metadata, spec }) => [metadata.name, spec?.parentRef?.name ?? ""]),
  );

describe.each(familyTables)("the families of a new service, where the ranges are $ranges", ({ ranges, rows }) => {
  beforeEach(async () => {
    await end();
    await start(ranges);
  });

  it.each(rows)("$name", async ({ spec, families = [], policy: said = policy(spec), why }) => {
    const made = create("web", spec);
    if (why !== undefined) {
      await expect(made).rejects.toThrow(why);
      expect(await holders()).toEqual({});
      return;
    }
    const { clusterIP, clusterIPs = [], ...rest } = (await made).spec ?? {};
    expect(rest).toMatchObject({ ipFamilies: families, ipFamilyPolicy: said });
    expect(clusterIP).toBe(clusterIPs[0]);
    if (spec.clusterIP === "None") return expect(clusterIPs).toEqual(["None"]);
    expect(clusterIPs.map((ip) => (ip.includes(":") ? v6 : v4))).toEqual(families);
    expect(Object.keys(await holders()).sort()).toEqual([...clusterIPs].sort());
    await client.delete(services, { namespace: "default", name: "web" });
    expect(await holders()).toEqual({});
  });
});

describe("the families of a service that changes", () => {
  beforeEach(async () => {
    await end();
    await start("10.96.0.0/16,fd00:96::/112");
  });

  const one = { clusterIP: inFour, clusterIPs: [inFour] };
  const two = { ...prefer, clusterIP: inFour, clusterIPs: [inFour, inSix], ipFamilies: [v4, v6] };
  const single: Partial<ServiceSpec> = { ipFamilyPolicy: "SingleStack" };

  it.each<{
    readonly name: string;
    readonly from: Partial<ServiceSpec>;
    readonly patch: object;
    readonly ips?: readonly unknown[];
    readonly why?: string;
  }>([
    {
      name: "gets a second one by the policy",
      from: one,
      patch: prefer,
      ips: [inFour, expect.stringMatching(/^fd00:96::/)],
    },
    {
      name: "gets the address that it names",
      from: one,
      patch: { ...require, clusterIPs: [inFour, inSix] },
      ips: [inFour, inSix],
    },
    {
      name: "keeps both when nothing is said",
      from: two,
      patch: { sessionAffinity: "ClientIP" },
      ips: [inFour, inSix],
    },
    { name: "loses the second one by the policy", from: two, patch: single, ips: [inFour] },
    {
      name: "loses the second one by policy and list",
      from: two,
      patch: { ...single, clusterIPs: [inFour], ipFamilies: [v4] },
      ips: [inFour],
    },
    {
      name: "does not lose one by the lists alone",
      from: two,
      patch: { clusterIPs: [inFour], ipFamilies: [v4] },
      why: "spec.ipFamilyPolicy: Invalid value: \"PreferDualStack\": must be 'SingleStack' to release the secondary cluster IP",
    },
    {
      name: "does not lose one by its families alone",
      from: two,
      patch: { ipFamilies: [v4] },
      why: "spec.ipFamilyPolicy: Invalid value: \"PreferDualStack\": must be 'SingleStack' to release the secondary IP family",
    },
    {
      name: "keeps its first family",
      from: one,
      patch: { ipFamilies: [v6] },
      why: 'spec.clusterIPs[0]: Invalid value: "10.96.7.7": expected an IPv6 value as indicated by `ipFamilies[0]`',
    },
    {
      name: "keeps its second address",
      from: two,
      patch: { clusterIPs: [inFour, "fd00:96::78"] },
      why: 'spec.clusterIPs[1]: Invalid value: ["10.96.7.7","fd00:96::78"]: may not change once set',
    },
    {
      name: "becomes a name of something else",
      from: two,
      patch: { type: "ExternalName", externalName: "example.com" },
      ips: [],
    },
  ])("$name", async ({ from, patch, ips, why }) => {
    await create("web", from);
    const change = client.patch(
      services,
      { namespace: "default", name: "web" },
      { type: "merge", body: { spec: patch } },
    );
    if (why !== undefined) {
      await expect(change).rejects.toThrow(why);
      expect(Object.keys(await holders()).sort()).toEqual([...(from.clusterIPs ?? [])].sort());
      return;
    }
    const { spec } = await change;
    expect(spec?.clusterIPs ?? []).toEqual(ips);
    expect(spec?.ipFamilies ?? []).toHaveLength(ips?.length ?? 0);
    expect(Object.keys(await holders()).sort()).toEqual([...(spec?.clusterIPs ?? [])].sort());
  });

  it("takes an address once, however it is written", async () => {
    const spec = { ipFamilies: [v6] };
    expect((await create("a", { ...spec, clusterIP: "FD00:96:0::77" })).spec?.clusterIP).toBe("FD00:96:0::77");
    expect(await holders()).toEqual({ [inSix]: "a" });
    await expect(create("b", { ...spec, clusterIP: inSix })).rejects.toThrow("provided IP is already allocated");
    await client.delete(services, { namespace: "default", name: "a" });
    expect(await holders()).toEqual({});
  });

  it("gives back the first address when there is none of the second family", async () => {
    await create("a", { ...prefer, clusterIP: inSix });
    const taken = { ...prefer, clusterIP: "10.96.8.8", clusterIPs: ["10.96.8.8", inSix] };
    await expect(create("b", taken)).rejects.toThrow("provided IP is already allocated");
    expect(Object.values(await holders())).toEqual(["a", "a"]);
  });
});

it("the Service kubernetes has the first address of the first range, and endpoints of its family", async () => {
  await end();
  await start("fd00:96::/112,10.96.0.0/16");
  const serviceCidrs = ["fd00:96::/112", "10.96.0.0/16"];
  const addresses = [{ ip: "fd00:10::1", port: 6443 }];
  await ensureKubernetesService(client.transport, { serviceCidrs, clusterIp: "fd00:96::1", addresses });
  const key = { namespace: "default", name: "kubernetes" };
  expect((await client.get(services, key)).spec).toMatchObject({
    clusterIPs: ["fd00:96::1"],
    ipFamilies: ["IPv6"],
    ipFamilyPolicy: "SingleStack",
  });
  expect(await client.get(endpointSlices, key)).toMatchObject({ addressType: "IPv6" });
  expect((await client.get(serviceCIDRs, { name: "kubernetes" })).spec?.cidrs).toEqual(serviceCidrs);
  expect((await create("web", prefer)).spec?.ipFamilies).toEqual([v6, v4]);
});
