import { createSocket } from "node:dgram";
import { once } from "node:events";
import { connect } from "node:net";
import type { Packet } from "dns-packet";
import { afterEach, describe, expect, test } from "vitest";
import {
  type EndpointSlice,
  endpointSlices,
  type Namespace,
  namespaces,
  type Service,
  services,
} from "../../src/api/index.js";
import { type Client, createClient } from "../../src/client/index.js";
import { realClock } from "../../src/internal/clock.js";
import { randomInt, seededRandom } from "../../src/internal/random.js";
import {
  createDnsServer,
  type DnsListener,
  type DnsServerOptions,
  type PageListener,
  type Pages,
} from "../../src/proxy/dns/index.js";
import { FakeApi } from "../../src/testing/fake-api.js";
import { eventually } from "./support/cli-program.js";
import { askTcp, askUdp, type DnsTarget, frame, queryOf, startResolver } from "./support/dns-client.js";

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

interface Subject {
  readonly api: FakeApi;
  readonly client: Client;
  readonly at: DnsListener;
  readonly stop: () => Promise<void>;
}

/** A name server on a loopback port of its own, before an API with a few objects. */
async function start(options: Partial<DnsServerOptions> = {}): Promise<Subject> {
  const api = new FakeApi({ clock: realClock, random: seededRandom(1) });
  const client = createClient(api);
  for (const name of ["default", "kube-system"]) {
    await client.create<Namespace>(namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name } });
  }
  await addService(client, "web", { clusterIP: "10.96.0.5", ports: [{ name: "http", port: 80, protocol: "TCP" }] });
  await addService(client, "many", { clusterIP: "None", ports: [{ name: "http", port: 80, protocol: "TCP" }] });
  await client.create<EndpointSlice>(endpointSlices, {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name: "many-1", namespace: "default", labels: { "kubernetes.io/service-name": "many" } },
    addressType: "IPv4",
    endpoints: Array.from({ length: 100 }, (_, index) => ({ addresses: [`10.1.0.${index}`] })),
    ports: [{ name: "http", port: 80, protocol: "TCP" }],
  });
  const server = createDnsServer({ client, addresses: ["127.0.0.1"], port: 0, upstreams: [], ...options });
  const controller = new AbortController();
  let running: Promise<void> = Promise.resolve();
  await new Promise<void>((resolve, reject) => {
    running = server.run({ signal: controller.signal, ready: resolve });
    running.catch(reject);
  });
  const stop = async (): Promise<void> => {
    controller.abort();
    await running;
  };
  stops.push(stop);
  const [at] = server.listeners;
  if (at === undefined) throw new Error("the server listens nowhere");
  return { api, client, at, stop };
}

function addService(client: Client, name: string, spec: Service["spec"], namespace = "default"): Promise<Service> {
  return client.create<Service>(services, {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace },
    spec: { type: "ClusterIP", ...spec },
  });
}

const web = "web.default.svc.cluster.local";
const many = "many.default.svc.cluster.local";
const addressesOf = ({ answers }: Packet): readonly unknown[] =>
  (answers ?? []).map((answer) => ("data" in answer ? answer.data : undefined));
const upstream = ({ address, port }: DnsTarget): readonly string[] => [`${address}:${port}`];
const outside = (ttl = 60, data = "192.0.2.80"): ((query: Packet) => Packet) => {
  return ({ questions }) => ({ answers: [{ name: questions?.[0]?.name ?? "", type: "A", ttl, data }] });
};

describe("a name server", () => {
  test("answers over UDP and TCP", async () => {
    const { at } = await start();
    expect(await askUdp(at, web.toUpperCase())).toMatchObject({ rcode: "NOERROR", flag_aa: true });
    expect(addressesOf(await askUdp(at, web))).toEqual(["10.96.0.5"]);
    const answers = await askTcp(at, [web, "none.default.svc.cluster.local", web]);
    expect(answers.map(({ rcode }) => rcode)).toEqual(["NOERROR", "NXDOMAIN", "NOERROR"]);
  });

  test("tells its figures by CoreDNS' names, and whether it is ready", async () => {
    let pages: Pages | undefined;
    let closed = false;
    const listenTo: PageListener = async (given) => {
      pages = given;
      const close = async (): Promise<void> => {
        closed = true;
      };
      return { [Symbol.asyncDispose]: close };
    };
    await using resolver = await startResolver(outside());
    const { at, stop } = await start({ pages: listenTo, upstreams: upstream(resolver) });
    expect(pages?.("/ready")).toEqual({ code: 200, text: "OK" });
    expect(pages?.("/health")).toEqual({ code: 200, text: "OK" });
    await askUdp(at, web);
    await askTcp(at, [web, "none.default.svc.cluster.local"]);
    await askUdp(at, "example.com");
    await askUdp(at, "example.com");
    await askUdp(at, "cluster.local", { type: "AXFR" });
    const text = pages?.("/metrics")?.text ?? "";
    const figure = (name: string, labels: string): string | undefined =>
      text
        .split("\n")
        .find((line) => line.startsWith(`${name}{${labels}} `))
        ?.split(" ")
        .at(-1);
    const place = 'server="dns://:0",zone=".",view=""';
    expect(figure("coredns_dns_requests_total", `${place},proto="udp",family="1",type="A"`)).toBe("3");
    expect(figure("coredns_dns_requests_total", `${place},proto="tcp",family="1",type="A"`)).toBe("2");
    expect(figure("coredns_dns_responses_total", `${place},rcode="NOERROR",plugin="kubernetes"`)).toBe("2");
    expect(figure("coredns_dns_responses_total", `${place},rcode="NXDOMAIN",plugin="kubernetes"`)).toBe("1");
    expect(figure("coredns_dns_responses_total", `${place},rcode="NOERROR",plugin="forward"`)).toBe("2");
    expect(figure("coredns_dns_responses_total", `${place},rcode="REFUSED",plugin=""`)).toBe("1");
    expect(figure("coredns_dns_request_duration_seconds_count", `${place},type="A"`)).toBe("5");
    expect(figure("coredns_dns_response_size_bytes_count", `${place},proto="udp"`)).toBe("4");
    const cache = 'zones=".",view=""';
    expect(figure("coredns_cache_requests_total", `server="dns://:0",${cache}`)).toBe("2");
    expect(figure("coredns_cache_hits_total", `server="dns://:0",type="success",${cache}`)).toBe("1");
    const to = `proxy_name="forward",to="${resolver.address}:${resolver.port}",rcode="NOERROR"`;
    expect(figure("coredns_proxy_request_duration_seconds_count", to)).toBe("1");
    await stop();
    expect(closed).toBe(true);
    expect(pages?.("/ready")).toEqual({ code: 503, text: "kubernetes" });
  });

  test("cuts what is too long for UDP, and has it whole over TCP", async () => {
    const { at } = await start();
    const short = await askUdp(at, many);
    expect(short.flag_tc).toBe(true);
    expect(short.bytes).toBeLessThanOrEqual(512);
    const longer = await askUdp(at, many, { udpSize: 1232 });
    expect(longer.flag_tc).toBe(true);
    expect(longer.bytes).toBeGreaterThan(512);
    expect(addressesOf(await askUdp(at, many, { udpSize: 4096 }))).toHaveLength(100);
    const [whole] = await askTcp(at, [many]);
    expect(new Set(addressesOf(whole ?? {})).size).toBe(100);
  });

  test("refuses what it does not serve", async () => {
    const { at } = await start();
    expect((await askUdp(at, "cluster.local", { type: "AXFR" })).rcode).toBe("REFUSED");
    expect((await askUdp(at, "example.com")).rcode).toBe("SERVFAIL");
  });

  test("serves on after garbage, floods and idle connections", async () => {
    const { at } = await start();
    const random = seededRandom(5);
    const socket = createSocket("udp4");
    for (let count = 0; count < 20_000; count++) {
      const bytes = count % 2 === 0 ? queryOf(many, { type: "SRV" }) : Buffer.alloc(randomInt(random, 600));
      bytes[randomInt(random, Math.max(1, bytes.length))] = randomInt(random, 256);
      socket.send(bytes, at.port, at.address);
      if (count % 500 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    const idle = Array.from({ length: 300 }, () => connect({ host: at.address, port: at.port }));
    for (const each of idle) each.on("error", () => {});
    const half = connect({ host: at.address, port: at.port });
    half.on("error", () => {});
    half.write(Buffer.from([0xff, 0xff, 1, 2, 3]));
    const answered = await eventually(() => askUdp(at, web), "an answer after the flood");
    expect(addressesOf(answered)).toEqual(["10.96.0.5"]);
    for (const each of [...idle, half]) each.destroy();
    await eventually(
      async () => ((await askTcp(at, [web])).length === 1 ? true : undefined),
      "TCP after the idle ones",
    );
    socket.close();
  });

  test("a connection that sends no DNS is closed", async () => {
    const { at } = await start();
    const socket = connect({ host: at.address, port: at.port });
    socket.write(frame(Buffer.from("hello")));
    socket.resume();
    await once(socket, "close", { signal: AbortSignal.timeout(5000) });
  });

  test("goes on while the API is away, and catches up over a gap in its watches", async () => {
    const { api, client, at } = await start();
    api.intercept = ({ verb }) => {
      if (verb === "list" || verb === "watch") throw new Error("connection refused");
    };
    api.breakWatches();
    expect(addressesOf(await askUdp(at, web))).toEqual(["10.96.0.5"]);
    await addService(client, "later", { clusterIP: "10.96.0.6", ports: [{ port: 80 }] });
    await client.delete(services, { namespace: "default", name: "web" });
    api.compact();
    api.intercept = undefined;
    await eventually(
      async () => ((await askUdp(at, web)).rcode === "NXDOMAIN" ? true : undefined),
      "that the service is gone",
    );
    expect(addressesOf(await askUdp(at, "later.default.svc.cluster.local"))).toEqual(["10.96.0.6"]);
  });

  test("stopped, it leaves its port", async () => {
    const { at, stop } = await start();
    const held = connect({ host: at.address, port: at.port });
    held.on("error", () => {});
    await once(held, "connect");
    await stop();
    const again = await start({ port: at.port });
    expect(again.at.port).toBe(at.port);
  });
});

describe("names of others", () => {
  test("are asked of the resolver, and kept for as long as it says", async () => {
    await using resolver = await startResolver(outside());
    const { at } = await start({ upstreams: upstream(resolver) });
    expect(addressesOf(await askUdp(at, "example.com"))).toEqual(["192.0.2.80"]);
    const again = await askUdp(at, "EXAMPLE.com");
    expect(again).toMatchObject({ id: 4711, rcode: "NOERROR", questions: [{ name: "EXAMPLE.com" }] });
    expect(resolver.asked).toEqual(["example.com"]);
    await askUdp(at, "9.9.9.9.in-addr.arpa", { type: "PTR" });
    expect(resolver.asked).toHaveLength(2);
  });

  test("with no time to live are asked for each time", async () => {
    await using resolver = await startResolver(outside(0));
    const { at } = await start({ upstreams: upstream(resolver) });
    for (let count = 0; count < 3; count++) await askUdp(at, "example.com");
    expect(resolver.asked).toHaveLength(3);
  });

  test("are looked for where somebody answers", async () => {
    await using silent = await startResolver(() => undefined);
    await using resolver = await startResolver(outside());
    const upstreams = [...upstream(silent), ...upstream(resolver)];
    const { at } = await start({ upstreams, upstreamTimeoutMs: 50 });
    for (const name of ["a.test", "b.test", "c.test", "d.test"]) {
      expect(addressesOf(await askUdp(at, name))).toEqual(["192.0.2.80"]);
    }
  });

  test("are looked for elsewhere when a resolver cannot even be asked", async () => {
    await using resolver = await startResolver(outside());
    // No program may send there without saying so: it fails before any packet.
    const { at } = await start({ upstreams: ["255.255.255.255", ...upstream(resolver)] });
    for (const name of ["a.test", "b.test", "c.test", "d.test"]) {
      expect(addressesOf(await askUdp(at, name))).toEqual(["192.0.2.80"]);
    }
  });

  test("fail soon when nobody answers, and when too many are under way", async () => {
    await using silent = await startResolver(() => undefined);
    const { at } = await start({ upstreams: upstream(silent), upstreamTimeoutMs: 300, maxForwarded: 2 });
    const answers = await Promise.all(["a.test", "b.test", "c.test", "d.test"].map((name) => askUdp(at, name)));
    expect(answers.map(({ rcode }) => rcode)).toEqual(["SERVFAIL", "SERVFAIL", "SERVFAIL", "SERVFAIL"]);
    expect(silent.asked).toHaveLength(2);
  });

  test("a service stands for them, with what they lead to", async () => {
    await using resolver = await startResolver((query, tcp) => (tcp ? outside()(query) : { flags: 0x200 }));
    const { at, client } = await start({ upstreams: upstream(resolver) });
    await addService(client, "ext", { type: "ExternalName", externalName: "example.com" });
    const answer = await eventually(async () => {
      const said = await askUdp(at, "ext.default.svc.cluster.local");
      return said.rcode === "NOERROR" ? said : undefined;
    }, "the service");
    expect(addressesOf(answer)).toEqual(["example.com", "192.0.2.80"]);
  });

  test("are not asked of this server itself", async () => {
    await using resolver = await startResolver(outside());
    const { at, stop } = await start();
    await stop();
    const { at: same } = await start({
      port: at.port,
      upstreams: [`127.0.0.1:${at.port}`, ...upstream(resolver)],
      upstreamTimeoutMs: 200,
    });
    for (const name of ["a.test", "b.test"]) expect(addressesOf(await askUdp(same, name))).toEqual(["192.0.2.80"]);
    expect(resolver.asked).toEqual(["a.test", "b.test"]);
  });
});

describe("the Service that leads to it", () => {
  const place = { namespace: "kube-system" };
  const slicesOf = async (client: Client): Promise<readonly EndpointSlice[]> =>
    (await client.list<EndpointSlice>(endpointSlices, place)).items;

  test("has a slice for each server, removed with it", async () => {
    const { client, at, stop } = await start({ publishAs: "one" });
    const dns = await addService(client, "kube-dns", { clusterIP: "10.96.0.10", ports: [] }, "kube-system");
    const [slice] = await eventually(async () => {
      const found = await slicesOf(client);
      return found.length === 1 ? found : undefined;
    }, "the slice");
    expect(slice?.metadata).toMatchObject({
      name: "kube-dns-one",
      labels: { "kubernetes.io/service-name": "kube-dns" },
      ownerReferences: [{ uid: dns.metadata.uid }],
    });
    expect(slice?.endpoints?.[0]?.addresses).toEqual([at.address]);
    expect(slice?.ports).toEqual([
      { name: "dns", port: at.port, protocol: "UDP" },
      { name: "dns-tcp", port: at.port, protocol: "TCP" },
    ]);
    expect(addressesOf(await askUdp(at, "ns.dns.cluster.local"))).toEqual(["10.96.0.10"]);
    await stop();
    expect(await slicesOf(client)).toEqual([]);
  });
});
