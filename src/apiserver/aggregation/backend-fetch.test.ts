import { Duplex } from "node:stream";
import { describe, expect, it } from "vitest";
import { VirtualClock } from "../../internal/virtual-clock.js";
import { type BackendFetchOptions, backendFetch, type FetchRequest } from "./backend-fetch.js";
import { Backends } from "./backends.js";
import { makeRemote } from "./fixture.js";

const url = "https://10.0.0.1:8443/apis";

/** A connection to a server that says `text` when it is asked something, and then ends or falls silent. */
class Connection extends Duplex {
  asked = "";
  readonly #text: string;
  readonly #ends: boolean;

  constructor(text: string, ends: boolean) {
    super();
    this.#text = text;
    this.#ends = ends;
  }

  override _read(): void {}

  override _write(chunk: Buffer, _: string, done: () => void): void {
    this.asked += chunk.toString("latin1");
    if (this.asked.endsWith("\r\n\r\n")) {
      if (this.#text !== "") this.push(this.#text);
      if (this.#ends) this.push(null);
    }
    done();
  }
}

interface Asking {
  readonly connection: Connection;
  readonly clock: VirtualClock;
  readonly answer: ReturnType<ReturnType<typeof backendFetch>>;
}

function ask(
  text: string,
  { ends = true, ...more }: Partial<BackendFetchOptions & FetchRequest> & { readonly ends?: boolean } = {},
): Asking {
  const clock = new VirtualClock();
  const connection = new Connection(text, ends);
  const backends = {
    locate: async () => ({ host: "10.0.0.1", port: 8443 }),
    dial: () => async () => connection,
  };
  const fetch = backendFetch({ backends, clock, ...more });
  const { signal = new AbortController().signal } = more;
  const user = { username: "system:kube-aggregator", groups: ["system:masters"] };
  const answer = fetch(makeRemote(), { path: "/apis", user, accept: "application/json", etag: '"1"', signal });
  answer.catch(() => {});
  return { connection, clock, answer };
}

const ok = (body: string, length = body.length): string =>
  `HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n\r\n${body}`;

describe("asking a server behind this one", () => {
  it("tells it who asks, and gives the whole answer", async () => {
    const { connection, answer } = ask(ok("{}"));
    expect(await answer).toMatchObject({ url, code: 200, body: Buffer.from("{}") });
    for (const line of ["GET /apis HTTP/1.1", "X-Remote-User: system:kube-aggregator", 'If-None-Match: "1"']) {
      expect(connection.asked).toContain(`${line}\r\n`);
    }
    expect(connection.destroyed).toBe(true);
  });

  it.each([
    { name: "has no end", text: ok("{", 10), why: "aborted" },
    { name: "is too large", text: ok("12345"), limitBytes: 4, why: "the answer is too large" },
    {
      name: "is another protocol",
      text: "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
      why: "the backend switched protocols without being asked",
    },
    { name: "is none", text: "", why: "socket hang up" },
  ])("refuses an answer that $name", async ({ text, why, ...options }) => {
    const { answer, connection } = ask(text, options);
    await expect(answer).rejects.toThrow(`failing or missing response from ${url}: Get "${url}": ${why}`);
    expect(connection.destroyed).toBe(true);
  });

  it("gives up on one that hangs", async () => {
    const { answer, clock, connection } = ask("HTTP/1.1 200 OK\r\n", { ends: false });
    await clock.advance(5_000);
    await expect(answer).rejects.toThrow("context deadline exceeded (Client.Timeout exceeded while awaiting headers)");
    expect(connection.destroyed).toBe(true);
  });

  it("gives up when it is told to", async () => {
    const stop = new AbortController();
    const { answer } = ask("", { ends: false, signal: stop.signal });
    stop.abort(new Error("the server stops"));
    await expect(answer).rejects.toThrow("the server stops");
  });
});

describe("the address of a server behind this one", () => {
  it.each(["127.0.0.1", "169.254.169.254", "::1", "fe80::1", "localhost"])("may not be %s", async (host) => {
    const backends = new Backends({
      clientCertificate: { certificate: "", key: "" },
      resolveService: async () => ({ host, port: 443 }),
      allowLocalAddresses: false,
      clock: new VirtualClock(),
      resolve: async () => "127.0.0.1",
    });
    const target = await backends.locate(makeRemote());
    const dialled = backends.dial(makeRemote())(target, new AbortController().signal);
    await expect(dialled).rejects.toThrow("address not allowed");
  });
});
