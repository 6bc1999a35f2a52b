import { createSocket } from "node:dgram";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { type DecodedPacket, decode, encode, type Packet, RECURSION_DESIRED, type RecordType } from "dns-packet";

export interface DnsTarget {
  readonly address: string;
  readonly port: number;
}

export interface AskOptions {
  readonly type?: RecordType;
  /** Of EDNS; absent: without it. */
  readonly udpSize?: number;
}

export function queryOf(name: string, { type = "A", udpSize }: AskOptions = {}, id = 4711): Buffer {
  const edns = { extendedRcode: 0, ednsVersion: 0, flags: 0, flag_do: false, options: [] };
  return encode({
    type: "query",
    id,
    flags: RECURSION_DESIRED,
    questions: [{ name, type }],
    ...(udpSize === undefined
      ? {}
      : { additionals: [{ type: "OPT" as const, name: ".", udpPayloadSize: udpSize, ...edns }] }),
  });
}

/** The answer over UDP; rejects after five seconds. */
export async function askUdp({ address, port }: DnsTarget, name: string, options: AskOptions = {}): Promise<Answered> {
  const socket = createSocket("udp4");
  try {
    socket.send(queryOf(name, options), port, address);
    const [message] = await once(socket, "message", { signal: AbortSignal.timeout(5000) });
    return read(message);
  } finally {
    socket.close();
  }
}

/** The answers to some questions over one TCP connection, sent at once. */
export async function askTcp(
  { address, port }: DnsTarget,
  names: readonly string[],
  options: AskOptions = {},
): Promise<readonly Answered[]> {
  const socket = connect({ host: address, port });
  socket.setTimeout(5000, () => socket.destroy(new Error("no answer over TCP")));
  const framed = names.map((name) => frame(queryOf(name, options)));
  socket.write(Buffer.concat(framed));
  let received = Buffer.alloc(0);
  const answers: Answered[] = [];
  for await (const chunk of socket) {
    received = Buffer.concat([received, chunk]);
    while (received.length >= 2 && received.length >= received.readUInt16BE(0) + 2) {
      const end = received.readUInt16BE(0) + 2;
      answers.push(read(received.subarray(2, end)));
      received = received.subarray(end);
    }
    if (answers.length === names.length) break;
  }
  return answers;
}

export function frame(message: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(message.length);
  return Buffer.concat([length, message]);
}

/** `rcode` is what the package decodes beside what its types say. */
export type Answered = DecodedPacket & { readonly rcode: string; readonly bytes: number };

function read(message: Buffer): Answered {
  return { ...(decode(message) as DecodedPacket & { readonly rcode: string }), bytes: message.length };
}

export interface TestResolver extends AsyncDisposable, DnsTarget {
  /** Names asked for, in their order, over either protocol. */
  readonly asked: string[];
}

/** A resolver on loopback that answers what `answer` says; undefined: never. */
export async function startResolver(
  answer: (query: DecodedPacket, tcp: boolean) => Packet | undefined,
): Promise<TestResolver> {
  const asked: string[] = [];
  const respond = (message: Buffer, tcp: boolean): Buffer | undefined => {
    const query = decode(message);
    asked.push(query.questions?.[0]?.name ?? "");
    const packet = answer(query, tcp);
    return packet && encode({ type: "response", id: query.id, questions: query.questions, ...packet });
  };
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", (data) => {
      const reply = respond(Buffer.from(data).subarray(2), true);
      if (reply !== undefined) socket.end(frame(reply));
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const place = server.address();
  const port = typeof place === "object" && place !== null ? place.port : 0;
  const socket = createSocket("udp4");
  socket.on("message", (message, from) => {
    const reply = respond(message, false);
    if (reply !== undefined) socket.send(reply, from.port, from.address);
  });
  socket.bind(port, "127.0.0.1");
  await once(socket, "listening");
  return {
    address: "127.0.0.1",
    port,
    asked,
    async [Symbol.asyncDispose]() {
      socket.close();
      server.close();
    },
  };
}
