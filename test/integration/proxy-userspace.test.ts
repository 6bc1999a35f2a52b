import { createSocket } from "node:dgram";
import { createServer, type Socket } from "node:net";
import { afterAll, describe, expect, test } from "vitest";
import { type ProxyServicePort, pickEndpoints } from "../../src/proxy/index.js";
import { UserspaceProxy, type UserspaceProxyOptions } from "../../src/proxy/userspace/index.js";
import { describeProxyBackend } from "../../src/testing/proxy-contract.js";
import { ask, echoEverything, listen } from "./support/loopback.js";
import { NetnsAgent } from "./support/netns-agent.js";

// A block of its own for each run, so that two on one machine do not meet.
const block = `127.${100 + (process.pid % 100)}.${Math.floor(Math.random() * 200)}`;
const endpoints = [2, 3, 4].map((host) => ({ ip: `${block}.${host}`, port: 8080 }));
const [nodeAddress, outsideAddress] = [`${block}.1`, `${block}.99`];
const clusterIPs = [`${block}.100`, `${block}.101`];

describeProxyBackend({
  name: "UserspaceProxy",
  async setup() {
    const agent = new NetnsAgent();
    for (const [index, { ip, port }] of endpoints.entries()) await agent.serve(ip, port, String(index));
    const open = new Set<UserspaceProxy>();
    return {
      createBackend() {
        // What an earlier process of this proxy had is gone with it.
        for (const backend of open) void backend[Symbol.asyncDispose]();
        open.clear();
        const backend = new UserspaceProxy({ nodeAddresses: [nodeAddress] });
        open.add(backend);
        return backend;
      },
      endpoints,
      nodeAddress,
      outsideAddress,
      clusterIPs,
      externalIPs: [`${block}.200`, `${block}.201`],
      nodePort: 30_080,
      dial({ from, to, port, protocol = "TCP", sourcePort }) {
        const source = from === "node" ? nodeAddress : from === "outside" ? outsideAddress : endpoints[from]?.ip;
        return agent.dial({ to, port, protocol, source, sourcePort, timeoutMs: 700 });
      },
      flush: async () => {},
      leftovers: async () => {
        const taken: string[] = [];
        for (const ip of clusterIPs) {
          const result = await agent.dial({ to: ip, port: 80, protocol: "TCP", timeoutMs: 700 });
          if (result.outcome !== "refused") taken.push(ip);
        }
        return taken;
      },
      dispose: () => agent[Symbol.asyncDispose](),
    };
  },
  skip: {
    "damage is noticed and repaired": "nobody can take a listening socket away from this process",
  },
});

describe("UserspaceProxy", () => {
  const disposables: AsyncDisposable[] = [];
  let host = 10;
  const address = (): string => `${block}.${host++}`;
  afterAll(async () => {
    for (const one of disposables.reverse()) await one[Symbol.asyncDispose]();
  });

  const own = <T extends AsyncDisposable>(one: T): T => {
    disposables.push(one);
    return one;
  };
  const proxy = (options: UserspaceProxyOptions = {}): UserspaceProxy =>
    own(new UserspaceProxy({ nodeAddresses: [], ...options }));

  test("passes on the end of each direction by itself", async () => {
    const ip = address();
    // Answers only when its client has said all.
    const server = own(
      await listen(
        createServer({ allowHalfOpen: true }, (socket) => echoEverything(socket)),
        ip,
        8080,
      ),
    );
    expect(server).toBeDefined();
    const front = address();
    await apply(proxy(), service(front, [ip]));
    expect(await ask(front, 80, "a".repeat(1_000_000))).toHaveLength(1_000_000);
  });

  test("says who has a port, and serves it when it becomes free", async () => {
    const front = address();
    const ip = address();
    own(
      await listen(
        createServer((socket) => echoEverything(socket)),
        ip,
        8080,
      ),
    );
    const squatter = await listen(
      createServer((socket) => socket.end()),
      front,
      80,
    );
    const backend = proxy();
    await apply(backend, service(front, [ip]));
    expect(backend.problems).toEqual([
      `TCP ${front}:80 of default/web cannot be served: another program has this port`,
    ]);
    await squatter[Symbol.asyncDispose]();
    await expect.poll(() => backend.problems, { timeout: 10_000 }).toEqual([]);
    expect(await ask(front, 80, "hello")).toBe("hello");
  });

  test("refuses connections beyond the limit, and takes new ones when others end", async () => {
    const front = address();
    const ip = address();
    const held = new Set<Socket>();
    own(
      await listen(
        createServer((socket) => {
          held.add(socket);
          echoEverything(socket);
        }),
        ip,
        8080,
      ),
    );
    const backend = proxy({ maxConnections: 2 });
    await apply(backend, service(front, [ip]));
    const open = [ask(front, 80, undefined), ask(front, 80, undefined)];
    await expect.poll(() => held.size, { timeout: 5000 }).toBe(2);
    await expect(ask(front, 80, "third")).rejects.toThrow();
    for (const socket of held) socket.end();
    await Promise.all(open);
    await expect.poll(() => backend.connections, { timeout: 5000 }).toBe(0);
    expect(await ask(front, 80, "fourth")).toBe("fourth");
  });

  test("goes on to the next endpoint when one refuses", async () => {
    const front = address();
    const [dead, alive] = [address(), address()];
    own(
      await listen(
        createServer((socket) => echoEverything(socket)),
        alive,
        8080,
      ),
    );
    await apply(proxy(), service(front, [dead, alive]));
    for (let count = 0; count < 6; count++) expect(await ask(front, 80, "x")).toBe("x");
  });

  test("goes on to the next endpoint when one cannot even be connected to, over UDP", async () => {
    const [front, alive] = [address(), address()];
    const echo = createSocket("udp4");
    echo.on("message", (message, { port, address: client }) => echo.send(message, port, client));
    await new Promise<void>((resolve) => echo.bind(8080, alive, resolve));
    // Connecting to the broadcast address is not permitted.
    await apply(proxy(), { ...service(front, ["255.255.255.255", alive]), protocol: "UDP" });
    const client = createSocket("udp4");
    const answered = new Promise<string>((resolve) => client.once("message", (message) => resolve(String(message))));
    const asking = setInterval(() => client.send("x", 80, front), 20);
    expect(await answered).toBe("x");
    clearInterval(asking);
    client.close();
    echo.close();
  });

  test("lets connections of a removed service finish, for a while", async () => {
    const front = address();
    const ip = address();
    own(
      await listen(
        createServer((socket) => echoEverything(socket)),
        ip,
        8080,
      ),
    );
    const backend = proxy({ drainMs: 60_000 });
    await apply(backend, service(front, [ip]));
    let finish = (): void => {};
    const begun = ask(
      front,
      80,
      "late",
      (socket) =>
        new Promise((resolve) => {
          finish = () => resolve(socket);
        }),
    );
    await expect.poll(() => backend.connections, { timeout: 5000 }).toBe(1);
    await apply(backend);
    await expect(ask(front, 80, "new")).rejects.toThrow(/ECONNREFUSED/);
    finish();
    expect(await begun).toBe("late");
  });

  test("carries many connections at once, whole, and forgets them", async () => {
    const front = address();
    const ips = [address(), address(), address()];
    const served = new Map<string, number>();
    for (const ip of ips) {
      const server = createServer({ allowHalfOpen: true }, (socket) => {
        served.set(ip, (served.get(ip) ?? 0) + 1);
        echoEverything(socket);
      });
      own(await listen(server, ip, 8080));
    }
    const backend = proxy();
    await apply(backend, service(front, ips));
    const texts = Array.from({ length: 300 }, (_, index) => String(index).repeat(1000));
    expect(await Promise.all(texts.map((text) => ask(front, 80, text)))).toEqual(texts);
    expect([...served.values()]).toEqual([100, 100, 100]);
    await expect.poll(() => backend.connections, { timeout: 5000 }).toBe(0);
  });

  test("passes a reset on, both ways", async () => {
    const front = address();
    const ip = address();
    const held: Socket[] = [];
    own(
      await listen(
        createServer((socket) => void held.push(socket.on("error", () => {}))),
        ip,
        8080,
      ),
    );
    const backend = proxy();
    await apply(backend, service(front, [ip]));
    const first = ask(front, 80, undefined);
    first.catch(() => {});
    await expect.poll(() => held.length, { timeout: 5000 }).toBe(1);
    held[0]?.resetAndDestroy();
    await expect(first).rejects.toThrow(/ECONNRESET/);
    let client: Socket | undefined;
    const second = ask(front, 80, "", async (socket) => {
      client = socket;
      await new Promise(() => {});
    });
    second.catch(() => {});
    await expect.poll(() => held.length, { timeout: 5000 }).toBe(2);
    client?.resetAndDestroy();
    await expect.poll(() => held[1]?.destroyed, { timeout: 5000 }).toBe(true);
    await expect.poll(() => backend.connections, { timeout: 5000 }).toBe(0);
  });

  test("cuts what is left when it is disposed, and frees its ports", async () => {
    const front = address();
    const ip = address();
    own(
      await listen(
        createServer((socket) => echoEverything(socket)),
        ip,
        8080,
      ),
    );
    const backend = proxy();
    await apply(backend, service(front, [ip]));
    const open = ask(front, 80, undefined);
    await expect.poll(() => backend.connections, { timeout: 5000 }).toBe(1);
    await Promise.all([backend[Symbol.asyncDispose](), open.catch(() => "")]);
    await expect(ask(front, 80, "x")).rejects.toThrow(/ECONNREFUSED/);
    own(await listen(createServer(), front, 80));
  });

  async function apply(backend: UserspaceProxy, ...ports: readonly ProxyServicePort[]): Promise<void> {
    await backend.sync({ table: { ports: new Map(ports.map((port) => [port.id, port])) }, changed: undefined });
  }
});

function service(clusterIP: string, ips: readonly string[]): ProxyServicePort {
  const usual = { ready: true, serving: true, terminating: false, local: true, forZones: [], forNodes: [] };
  const backends = ips.map((ip) => ({ ip, port: 8080, ...usual }));
  const port = {
    id: "default/web:/4",
    namespace: "default",
    name: "web",
    portName: "",
    family: 4 as const,
    protocol: "TCP" as const,
    clusterIP,
    port: 80,
    nodePort: 0,
    externalIPs: [],
    loadBalancerIPs: [],
    loadBalancerSourceRanges: [],
    affinitySeconds: undefined,
    internalTrafficPolicy: "Cluster" as const,
    externalTrafficPolicy: "Cluster" as const,
    healthCheckNodePort: 0,
  };
  return { ...port, endpoints: backends, ...pickEndpoints(port, backends, { nodeName: "n", zone: undefined }) };
}
