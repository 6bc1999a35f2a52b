import { createSocket } from "node:dgram";
import { connect } from "node:net";
import { parseIp } from "../../api/index.js";
import type { Clock } from "../../internal/clock.js";

/** A resolver that is asked for what is not the cluster's. */
export interface Upstream {
  readonly address: string;
  readonly port: number;
}

export interface ExchangeOptions {
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** Reads `192.0.2.1`, `192.0.2.1:5353`, `2001:db8::1` and `[2001:db8::1]:5353`. Throws a RangeError for anything else. */
export function parseUpstream(text: string): Upstream {
  const match = /^\[([^\]]+)\](?::(\d+))?$/.exec(text) ?? /^([\d.]+)(?::(\d+))?$/.exec(text);
  const [address = text, port = "53"] = match?.slice(1) ?? [text];
  // A resolver on a link-local address is written with its interface.
  const known = parseIp(address.replace(/%.*$/, "")) !== undefined;
  if (!known || Number(port) < 1 || Number(port) > 65_535) {
    throw new RangeError(`${JSON.stringify(text)} is not the address of a resolver`);
  }
  return { address, port: Number(port) };
}

/**
 * Asks over UDP, from a socket and a port of its own, and resolves with the first answer to this very query. Rejects on a timeout, when
 * aborted, and when the resolver's host says that nobody listens.
 */
export function askByUdp({ address, port }: Upstream, query: Buffer, options: ExchangeOptions): Promise<Buffer> {
  const socket = createSocket(address.includes(":") ? "udp6" : "udp4");
  return exchange(
    options,
    () => socket.close(),
    (resolve, reject) => {
      socket.on("error", reject);
      socket.on("message", (answer) => {
        if (isAnswerTo(answer, query)) resolve(answer);
      });
      // Connected, it takes packets from nobody else, and is told when they are refused.
      socket.once("connect", () => socket.send(query));
      socket.connect(port, address);
    },
  );
}

/** Asks over a TCP connection of its own. Rejects as `askByUdp`, and when the connection ends early. */
export function askByTcp({ address, port }: Upstream, query: Buffer, options: ExchangeOptions): Promise<Buffer> {
  const socket = connect({ host: address, port, noDelay: true });
  return exchange(
    options,
    () => socket.destroy(),
    (resolve, reject) => {
      let received = Buffer.alloc(0);
      socket.on("error", reject);
      socket.on("close", () => reject(new Error("the resolver closed the connection")));
      socket.on("data", (chunk: Buffer) => {
        received = Buffer.concat([received, chunk]);
        if (received.length < 2 || received.length < received.readUInt16BE(0) + 2) return;
        const answer = received.subarray(2, received.readUInt16BE(0) + 2);
        if (isAnswerTo(answer, query)) resolve(answer);
        else reject(new Error("the resolver answered another question"));
      });
      const length = Buffer.alloc(2);
      length.writeUInt16BE(query.length);
      socket.write(Buffer.concat([length, query]));
    },
  );
}

function exchange(
  { clock, timeoutMs, signal }: ExchangeOptions,
  close: () => void,
  begin: (resolve: (answer: Buffer) => void, reject: (error: Error) => void) => void,
): Promise<Buffer> {
  return new Promise<Buffer>((resolve, reject) => {
    let done = false;
    const end = (settle: () => void): void => {
      if (done) return;
      done = true;
      timer.cancel();
      signal.removeEventListener("abort", abort);
      close();
      settle();
    };
    const fail = (error: Error): void => end(() => reject(error));
    const abort = (): void => fail(new Error("stopped"));
    const timer = clock.setTimeout(() => fail(new Error("the resolver did not answer in time")), timeoutMs);
    signal.addEventListener("abort", abort, { once: true });
    begin((answer) => end(() => resolve(answer)), fail);
    if (signal.aborted) abort();
  });
}

/** Same number, a response, and the same question, whatever case it is in. */
function isAnswerTo(answer: Buffer, query: Buffer): boolean {
  if (answer.length < 12 || answer.readUInt16BE(0) !== query.readUInt16BE(0)) return false;
  if ((answer.readUInt16BE(2) & 0x8000) === 0) return false;
  // What a resolver refuses it may refuse without repeating the question.
  if (answer.readUInt16BE(4) === 0) return (answer.readUInt16BE(2) & 0xf) !== 0;
  const end = questionEnd(query);
  const asked = lowerCase(query.subarray(12, end));
  return lowerCase(answer.subarray(12, end)).equals(asked);
}

/** Where the one question of a message ends. */
export function questionEnd(message: Buffer): number {
  let at = 12;
  while ((message[at] ?? 0) !== 0) at += (message[at] ?? 0) + 1;
  return at + 5;
}

/** Bytes with ASCII's capital letters made small: two questions are the same when these are. */
export function lowerCase(bytes: Buffer): Buffer {
  return Buffer.from(bytes.map((byte) => (byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte)));
}
