import { describe, expect, test } from "vitest";
import { seededRandom } from "../../internal/random.js";
import { clusterOf, makeService, makeSlice } from "./cluster.fixture.js";
import { ClusterZones, type ClusterZonesOptions } from "./cluster-zones.js";
import type { DnsRecord } from "./record.js";

const http = [{ name: "http", port: 80, protocol: "TCP" }];
const headless = { clusterIP: "None", clusterIPs: ["None"] };
const data = clusterOf(
  [
    makeService("svc1", { clusterIP: "10.0.0.1", clusterIPs: ["10.0.0.1"], externalIPs: ["192.0.2.7"], ports: http }),
    makeService("dual", { clusterIP: "10.0.0.3", clusterIPs: ["10.0.0.3", "10::3"], ports: http }),
    makeService("two-ports", {
      clusterIP: "10.0.0.4",
      ports: [
        { name: "dns", port: 53, protocol: "UDP" },
        { name: "dns-tcp", port: 53, protocol: "TCP" },
        { port: 9153, protocol: "TCP" },
      ],
    }),
    makeService("hdls", { ...headless, ports: http }),
    makeService("portless", headless),
    makeService("asleep", { ...headless, ports: http }),
    makeService("external", { type: "ExternalName", externalName: "ext.interwebs.test" }),
    makeService("inside", { type: "ExternalName", externalName: "Svc1.testns.svc.cluster.local." }),
    makeService("nowhere", { type: "ExternalName", externalName: "none.testns.svc.cluster.local" }),
    makeService("numeric", { type: "ExternalName", externalName: "192.0.2.1" }),
    makeService("loop-a", { type: "ExternalName", externalName: "loop-b.testns.svc.cluster.local" }),
    makeService("loop-b", { type: "ExternalName", externalName: "loop-a.testns.svc.cluster.local" }),
    makeService("unmade", { clusterIP: "", ports: http }),
    makeService(
      "kube-dns",
      { clusterIP: "10.0.0.10", ports: [{ name: "dns", port: 53, protocol: "UDP" }] },
      "kube-system",
    ),
  ],
  [
    makeSlice("svc1", [{ addresses: ["172.0.1.1"], conditions: { ready: true } }]),
    makeSlice("hdls", [
      { addresses: ["172.0.0.2"], conditions: { ready: true } },
      { addresses: ["172.0.0.4"], hostname: "dup-name" },
      { addresses: ["172.0.0.5"], hostname: "dup-name" },
      { addresses: ["172.0.0.9"], conditions: { ready: false } },
    ]),
    { ...makeSlice("hdls", [{ addresses: ["5678:abcd::1"] }]), addressType: "IPv6" },
    makeSlice("portless", [{ addresses: ["172.0.0.20"], hostname: "web-0" }], []),
    makeSlice("asleep", [{ addresses: ["172.0.0.30"], conditions: { ready: false } }]),
    makeSlice("kube-dns", [{ addresses: ["172.9.9.9"] }], [{ name: "dns", port: 53, protocol: "UDP" }], "kube-system"),
  ],
);

const zonesOf = (options: Partial<ClusterZonesOptions> = {}): ClusterZones =>
  new ClusterZones({ data, random: seededRandom(1), ...options });

const soa = (zone = "cluster.local"): string =>
  `${zone} 30 SOA ns.dns.${zone} hostmaster.${zone} 1700000000 7200 1800 86400 30`;

/** `name ttl type data`, as in a zone file. */
function text({ name, ttl, type, data: value }: DnsRecord): string {
  const words = typeof value === "string" ? value : Object.values(value).join(" ");
  return `${name} ${ttl} ${type} ${words}`;
}

async function ask(name: string, type: string, zones = zonesOf()): Promise<readonly (readonly string[])[] | string> {
  const answer = await zones.answer({ name, type });
  if (answer === undefined) return "elsewhere";
  const { rcode, answers, authorities, additionals } = answer;
  if (answers.length === 0) expect(authorities.map(text)).toHaveLength(1);
  const sections = [answers.map(text).sort(), additionals.map(text).sort()];
  if (answers.length > 0) return sections;
  return `${rcode} ${authorities.map(text).join()}`;
}

const none = `NOERROR ${soa()}`;
const unknown = `NXDOMAIN ${soa()}`;

describe("services and pods", () => {
  const at = "testns.svc.cluster.local";
  test.each<readonly [name: string, type: string, expected: readonly (readonly string[])[] | string]>([
    [`svc1.${at}`, "A", [[`svc1.${at} 30 A 10.0.0.1`], []]],
    ["SVC1.TestNS.svc.Cluster.LOCAL", "A", [["SVC1.TestNS.svc.Cluster.LOCAL 30 A 10.0.0.1"], []]],
    [`svc1.${at}`, "AAAA", none],
    [`dual.${at}`, "AAAA", [[`dual.${at} 30 AAAA 10::3`], []]],
    [
      `_http._tcp.svc1.${at}`,
      "SRV",
      [[`_http._tcp.svc1.${at} 30 SRV 0 100 80 svc1.${at}`], [`svc1.${at} 30 A 10.0.0.1`]],
    ],
    [`http.tcp.svc1.${at}`, "A", [[`http.tcp.svc1.${at} 30 A 10.0.0.1`], []]],
    [`_http._udp.svc1.${at}`, "SRV", unknown],
    [`_smtp._tcp.svc1.${at}`, "SRV", unknown],
    [`svc1.${at}`, "SRV", [[`svc1.${at} 30 SRV 0 100 80 svc1.${at}`], [`svc1.${at} 30 A 10.0.0.1`]]],
    [
      `dual.${at}`,
      "SRV",
      [[`dual.${at} 30 SRV 0 50 80 dual.${at}`], [`dual.${at} 30 A 10.0.0.3`, `dual.${at} 30 AAAA 10::3`]],
    ],
    [
      `_dns-tcp._tcp.two-ports.${at}`,
      "SRV",
      [[`_dns-tcp._tcp.two-ports.${at} 30 SRV 0 100 53 two-ports.${at}`], [`two-ports.${at} 30 A 10.0.0.4`]],
    ],
    [`hdls.${at}`, "A", [[`hdls.${at} 30 A 172.0.0.2`, `hdls.${at} 30 A 172.0.0.4`, `hdls.${at} 30 A 172.0.0.5`], []]],
    [`hdls.${at}`, "AAAA", [[`hdls.${at} 30 AAAA 5678:abcd::1`], []]],
    [`dup-name.hdls.${at}`, "A", [[`dup-name.hdls.${at} 30 A 172.0.0.4`, `dup-name.hdls.${at} 30 A 172.0.0.5`], []]],
    [`172-0-0-2.hdls.${at}`, "A", [[`172-0-0-2.hdls.${at} 30 A 172.0.0.2`], []]],
    [`5678-abcd--1.hdls.${at}`, "AAAA", [[`5678-abcd--1.hdls.${at} 30 AAAA 5678:abcd::1`], []]],
    [`172-0-0-9.hdls.${at}`, "A", unknown],
    [`172-0-1-1.svc1.${at}`, "A", [[`172-0-1-1.svc1.${at} 30 A 172.0.1.1`], []]],
    [
      `_http._tcp.hdls.${at}`,
      "SRV",
      [
        [
          `_http._tcp.hdls.${at} 30 SRV 0 25 80 172-0-0-2.hdls.${at}`,
          `_http._tcp.hdls.${at} 30 SRV 0 25 80 5678-abcd--1.hdls.${at}`,
          `_http._tcp.hdls.${at} 30 SRV 0 25 80 dup-name.hdls.${at}`,
        ],
        [
          `172-0-0-2.hdls.${at} 30 A 172.0.0.2`,
          `5678-abcd--1.hdls.${at} 30 AAAA 5678:abcd::1`,
          `dup-name.hdls.${at} 30 A 172.0.0.4`,
          `dup-name.hdls.${at} 30 A 172.0.0.5`,
        ],
      ],
    ],
    [`portless.${at}`, "A", [[`portless.${at} 30 A 172.0.0.20`], []]],
    [`web-0.portless.${at}`, "A", [[`web-0.portless.${at} 30 A 172.0.0.20`], []]],
    [`portless.${at}`, "SRV", none],
    [`asleep.${at}`, "A", unknown],
    [`unmade.${at}`, "A", unknown],
    [`svc0.${at}`, "A", unknown],
    [`bogus.svc0.${at}`, "AAAA", unknown],
    [`too._many._labels.svc1.${at}`, "A", unknown],
    ["svc1.none.svc.cluster.local", "A", unknown],
    ["none.svc.cluster.local", "A", unknown],
    ["empty.svc.cluster.local", "A", none],
    ["svc.cluster.local", "A", none],
    ["pod.cluster.local", "AAAA", none],
    ["cluster.local", "A", none],
    ["foo.cluster.local", "A", unknown],
    [`*.${at}`, "A", unknown],
    [`*.svc1.${at}`, "A", unknown],
    [`svc1.${at}`, "ANY", none],
    [`svc1.${at}`, "UNKNOWN_65", none],
    [`svc1.${at}`, "MX", none],
    [`svc0.${at}`, "MX", unknown],
    [`svc1.${at}`, "PTR", none],
    ["10-240-0-1.testns.pod.cluster.local", "A", [["10-240-0-1.testns.pod.cluster.local 30 A 10.240.0.1"], []]],
    ["fd00--7.testns.pod.cluster.local", "AAAA", [["fd00--7.testns.pod.cluster.local 30 AAAA fd00::7"], []]],
    ["10-240-0-1.testns.pod.cluster.local", "AAAA", none],
    ["10-240-0-1.none.pod.cluster.local", "A", unknown],
    ["10-240-0-999.testns.pod.cluster.local", "A", unknown],
    ["web.testns.pod.cluster.local", "A", unknown],
    ["testns.pod.cluster.local", "A", none],
    ["dns-version.cluster.local", "TXT", [["dns-version.cluster.local 28800 TXT 1.1.0"], []]],
    ["dns-version.cluster.local", "A", unknown],
    [`svc1.${at}`, "TXT", none],
    ["example.com", "A", "elsewhere"],
    ["notcluster.local", "A", "elsewhere"],
    ["", "NS", "elsewhere"],
  ])("%s %s", async (name, type, expected) => {
    expect(await ask(name, type)).toEqual(expected);
  });
});

describe("services of other names", () => {
  const at = "testns.svc.cluster.local";
  const outside = async (name: string, type: string) =>
    name === "ext.interwebs.test" && type === "A"
      ? { answers: [{ name, type: "A" as const, ttl: 7, data: "1.2.3.4" }], truncated: false }
      : undefined;
  test.each<readonly [name: string, type: string, expected: readonly (readonly string[])[] | string]>([
    [`external.${at}`, "CNAME", [[`external.${at} 30 CNAME ext.interwebs.test`], []]],
    [`external.${at}`, "A", [["ext.interwebs.test 7 A 1.2.3.4", `external.${at} 30 CNAME ext.interwebs.test`], []]],
    [`external.${at}`, "AAAA", none],
    [`external.${at}`, "SRV", none],
    [`endpoint.external.${at}`, "CNAME", unknown],
    [
      `inside.${at}`,
      "A",
      [["Svc1.testns.svc.cluster.local 30 A 10.0.0.1", `inside.${at} 30 CNAME Svc1.testns.svc.cluster.local`], []],
    ],
    [`inside.${at}`, "AAAA", none],
    [`nowhere.${at}`, "A", none],
    [`numeric.${at}`, "A", unknown],
    [`loop-a.${at}`, "A", none],
    [`loop-a.${at}`, "CNAME", [[`loop-a.${at} 30 CNAME loop-b.${at}`], []]],
  ])("%s %s", async (name, type, expected) => {
    expect(await ask(name, type, zonesOf({ outside }))).toEqual(expected);
  });

  test("the alias comes before what it leads to", async () => {
    const answer = await zonesOf({ outside }).answer({ name: `external.${at}`, type: "A" });
    expect(answer?.answers.map(({ type }) => type)).toEqual(["CNAME", "A"]);
  });

  test("an answer that was cut outside is cut here", async () => {
    const cut = async () => ({ answers: [], truncated: true });
    expect(await zonesOf({ outside: cut }).answer({ name: `external.${at}`, type: "A" })).toMatchObject({
      truncated: true,
    });
  });
});

describe("addresses", () => {
  const reverse6 = (digits: string): string => `${[...digits].reverse().join(".")}.ip6.arpa`;
  test.each<readonly [name: string, type: string, expected: readonly (readonly string[])[] | string]>([
    ["1.0.0.10.in-addr.arpa", "PTR", [["1.0.0.10.in-addr.arpa 30 PTR svc1.testns.svc.cluster.local"], []]],
    ["7.2.0.192.IN-ADDR.arpa", "PTR", [["7.2.0.192.IN-ADDR.arpa 30 PTR svc1.testns.svc.cluster.local"], []]],
    ["2.0.0.172.in-addr.arpa", "PTR", [["2.0.0.172.in-addr.arpa 30 PTR 172-0-0-2.hdls.testns.svc.cluster.local"], []]],
    ["4.0.0.172.in-addr.arpa", "PTR", [["4.0.0.172.in-addr.arpa 30 PTR dup-name.hdls.testns.svc.cluster.local"], []]],
    ["9.0.0.172.in-addr.arpa", "PTR", "elsewhere"],
    ["1.1.1.1.in-addr.arpa", "PTR", "elsewhere"],
    ["1.0.10.in-addr.arpa", "PTR", "elsewhere"],
    ["01.0.0.10.in-addr.arpa", "PTR", "elsewhere"],
    ["1.0.0.10.in-addr.arpa", "A", "elsewhere"],
    ["svc1.testns.svc.in-addr.arpa", "A", "elsewhere"],
    ["in-addr.arpa", "PTR", `NOERROR ${soa("in-addr.arpa")}`],
    ["in-addr.arpa", "SOA", [[soa("in-addr.arpa")], []]],
    [
      reverse6("00100000000000000000000000000003"),
      "PTR",
      [[`${reverse6("00100000000000000000000000000003")} 30 PTR dual.testns.svc.cluster.local`], []],
    ],
    [
      reverse6("5678abcd000000000000000000000001"),
      "PTR",
      [[`${reverse6("5678abcd000000000000000000000001")} 30 PTR 5678-abcd--1.hdls.testns.svc.cluster.local`], []],
    ],
    [reverse6("5678abcd"), "PTR", "elsewhere"],
  ])("%s %s", async (name, type, expected) => {
    expect(await ask(name, type)).toEqual(expected);
  });
});

describe("the zone itself", () => {
  test("SOA is at its top alone", async () => {
    expect(await ask("cluster.local", "SOA")).toEqual([[soa()], []]);
    expect(await ask("svc1.testns.svc.cluster.local", "SOA")).toBe(none);
    expect(await ask("foo.cluster.local", "SOA")).toBe(unknown);
  });

  test("the name server is the service that leads to this server", async () => {
    const zones = zonesOf({ addresses: () => ["172.9.9.9"] });
    const server = "kube-dns.kube-system.svc.cluster.local";
    expect(await ask("cluster.local", "NS", zones)).toEqual([
      [`cluster.local 30 NS ${server}`],
      [`${server} 30 A 10.0.0.10`],
    ]);
    expect(await ask("ns.dns.cluster.local", "A", zones)).toEqual([["ns.dns.cluster.local 30 A 10.0.0.10"], []]);
    expect(await ask("svc.cluster.local", "NS", zones)).toBe(none);
    expect(await ask("foo.cluster.local", "NS", zones)).toBe(unknown);
  });

  test("without a service it has a name of its own", async () => {
    const zones = zonesOf({ addresses: () => ["172.8.8.8"] });
    expect(await ask("cluster.local", "NS", zones)).toEqual([
      ["cluster.local 30 NS ns.dns.cluster.local"],
      ["ns.dns.cluster.local 30 A 172.8.8.8"],
    ]);
  });

  test("another domain", async () => {
    const zones = zonesOf({ domain: "Corp.Example." });
    expect(await ask("svc1.testns.svc.corp.example", "A", zones)).toEqual([
      ["svc1.testns.svc.corp.example 30 A 10.0.0.1"],
      [],
    ]);
    expect(await ask("svc1.testns.svc.cluster.local", "A", zones)).toBe("elsewhere");
    expect(await ask("1.0.0.10.in-addr.arpa", "PTR", zones)).toEqual([
      ["1.0.0.10.in-addr.arpa 30 PTR svc1.testns.svc.corp.example"],
      [],
    ]);
  });

  test("nothing is said not to exist before everything is known", async () => {
    const zones = zonesOf({ data: { ...data, synced: false } });
    expect((await zones.answer({ name: "svc0.testns.svc.cluster.local", type: "A" }))?.rcode).toBe("SERVFAIL");
    expect((await zones.answer({ name: "svc1.testns.svc.cluster.local", type: "AAAA" }))?.rcode).toBe("SERVFAIL");
  });

  test("addresses come in an order that changes", async () => {
    const zones = zonesOf();
    const orders = new Set<string>();
    for (let count = 0; count < 40; count++) {
      const answer = await zones.answer({ name: "hdls.testns.svc.cluster.local", type: "A" });
      orders.add((answer?.answers ?? []).map((record) => record.data).join());
    }
    expect(orders.size).toBe(6);
  });
});
