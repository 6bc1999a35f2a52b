import { type Answer, decode, encode } from "dns-packet";
import type { DnsAnswer, DnsQuestion, DnsRecord, Rcode } from "./record.js";

/** What the client says it understands (RFC 6891). */
export interface Edns {
  readonly udpSizeBytes: number;
  readonly version: number;
  readonly dnssecOk: boolean;
}

export interface DnsQuery {
  readonly id: number;
  readonly question: DnsQuestion;
  /** `IN` for all that is about the Internet. */
  readonly class: string;
  readonly edns?: Edns | undefined;
  /** The whole query. */
  readonly bytes: Buffer;
  /** Where the question ends in it. */
  readonly questionEnd: number;
}

/** A query; or what to send back instead of an answer, if anything. */
export type ReadQuery = { readonly query: DnsQuery } | { readonly reply: Buffer | undefined };

const headerBytes = 12;
const rcodes: Readonly<Record<Rcode, number>> = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
};
const flag = {
  response: 0x8000,
  authoritative: 0x0400,
  truncated: 0x0200,
  recursionDesired: 0x0100,
  checkingDisabled: 0x0010,
};
const badVersion = 16;
const maxUdpBytes = 4096;
const minUdpBytes = 512;

/** Reads what came. Responses and what has no whole header get no reply; what cannot be read gets FORMERR, other work than queries NOTIMP. */
export function readQuery(bytes: Buffer): ReadQuery {
  if (bytes.length < headerBytes || (bytes.readUInt16BE(2) & flag.response) !== 0) return { reply: undefined };
  if (((bytes.readUInt16BE(2) >> 11) & 0xf) !== 0) return { reply: refusal(bytes, "NOTIMP") };
  // Looked at before anything is made of these numbers: a few bytes must not claim thousands of records.
  const [questions, answers, authorities, additionals] = [4, 6, 8, 10].map((at) => bytes.readUInt16BE(at));
  if (questions !== 1 || answers !== 0 || authorities !== 0 || (additionals ?? 0) > 2) {
    return { reply: refusal(bytes, "FORMERR") };
  }
  const name = readName(bytes);
  if (name === undefined) return { reply: refusal(bytes, "FORMERR") };
  try {
    const packet = decode(bytes);
    const [question] = packet.questions ?? [];
    if (question === undefined) return { reply: refusal(bytes, "FORMERR") };
    const opt = (packet.additionals ?? []).find((record) => record.type === "OPT");
    const query: DnsQuery = {
      id: bytes.readUInt16BE(0),
      question: { name: name.text, type: question.type },
      class: question.class ?? "IN",
      edns:
        opt?.type === "OPT"
          ? { udpSizeBytes: opt.udpPayloadSize, version: opt.ednsVersion, dnssecOk: opt.flag_do }
          : undefined,
      bytes,
      questionEnd: name.end + 4,
    };
    return { query };
  } catch {
    return { reply: refusal(bytes, "FORMERR") };
  }
}

/** How large an answer over UDP may be. */
export function udpLimit(query: DnsQuery): number {
  return Math.min(maxUdpBytes, Math.max(minUdpBytes, query.edns?.udpSizeBytes ?? 0));
}

/** The question's name as text. A label with a dot in it, which no name here has, is told from two by a zero character. */
function readName(bytes: Buffer): { readonly text: string; readonly end: number } | undefined {
  const labels: string[] = [];
  let at = headerBytes;
  for (;;) {
    const length = bytes[at];
    if (length === undefined || length > 63 || at - headerBytes > 254) return undefined;
    if (length === 0) break;
    labels.push(bytes.toString("latin1", at + 1, at + 1 + length).replaceAll(".", "\0"));
    at += length + 1;
  }
  return at + 5 > bytes.length ? undefined : { text: labels.join("."), end: at + 1 };
}

function refusal(bytes: Buffer, rcode: Rcode): Buffer {
  const reply = Buffer.alloc(headerBytes);
  reply.writeUInt16BE(bytes.readUInt16BE(0), 0);
  const kept = bytes.readUInt16BE(2) & (0x7800 | flag.recursionDesired);
  reply.writeUInt16BE(flag.response | kept | rcodes[rcode], 2);
  return reply;
}

/** The answer of a server that cannot give one. */
export function failure(query: DnsQuery, rcode: Rcode): Buffer {
  const none: DnsAnswer = { rcode, authoritative: false, answers: [], authorities: [], additionals: [] };
  return encodeAnswer(query, none, minUdpBytes);
}

/** Tells the client that its version of EDNS is not known (RFC 6891, BADVERS). */
export function refuseVersion(query: DnsQuery): Buffer {
  const reply = failure(query, "NOERROR");
  // The extended code's upper bits are in the OPT record, which is the last one.
  reply.writeUInt8(badVersion >> 4, reply.length - 6);
  return reply;
}

/**
 * The answer in bytes, at most `limitBytes` of them: what does not fit is left out, and the client told that it was cut. The question goes
 * back as it came. Rejects names that cannot be written.
 */
export function encodeAnswer(query: DnsQuery, answer: DnsAnswer, limitBytes: number): Buffer {
  const { bytes, questionEnd, edns } = query;
  const opt = edns === undefined ? undefined : encodeOpt(edns);
  const room = limitBytes - (opt?.length ?? 0);
  const writer = new MessageWriter(bytes.subarray(0, questionEnd), query.question.name);
  const counts = [0, 0, 0];
  let cut = answer.truncated === true;
  for (const [section, records] of [answer.answers, answer.authorities, answer.additionals].entries()) {
    for (const record of records) {
      if (!writer.add(record, room)) {
        cut = true;
        break;
      }
      counts[section] = (counts[section] ?? 0) + 1;
    }
    if (cut) break;
  }
  if (opt !== undefined) counts[2] = (counts[2] ?? 0) + 1;
  const message = Buffer.concat([writer.bytes(), opt ?? Buffer.alloc(0)]);
  const kept = bytes.readUInt16BE(2) & (flag.recursionDesired | flag.checkingDisabled);
  const said = (answer.authoritative ? flag.authoritative : 0) | (cut ? flag.truncated : 0);
  message.writeUInt16BE(flag.response | kept | said | rcodes[answer.rcode], 2);
  message.writeUInt16BE(1, 4);
  for (const [index, count] of counts.entries()) message.writeUInt16BE(count, 6 + 2 * index);
  return message;
}

function encodeOpt({ udpSizeBytes, dnssecOk }: Edns): Buffer {
  const opt = Buffer.alloc(11);
  opt.writeUInt16BE(41, 1);
  opt.writeUInt16BE(Math.min(maxUdpBytes, Math.max(minUdpBytes, udpSizeBytes)), 3);
  if (dnssecOk) opt.writeUInt16BE(0x8000, 7);
  return opt;
}

/** Writes records after a question, and names that were there before as pointers to them (RFC 1035, 4.1.4). */
class MessageWriter {
  readonly #parts: Buffer[];
  readonly #known = new Map<string, number>();
  #length: number;

  constructor(question: Buffer, name: string) {
    this.#parts = [Buffer.from(question)];
    this.#length = question.length;
    let at = headerBytes;
    const labels = name === "" ? [] : name.split(".");
    for (const [index, label] of labels.entries()) {
      this.#known.set(labels.slice(index).join("."), at);
      at += label.length + 1;
    }
  }

  /** False, and nothing written, where the message would be longer than `limit`. */
  add(record: DnsRecord, limit: number): boolean {
    const { parts, names } = this.#name(record.name);
    // What comes after the name does not depend on it: taken from a message about the root.
    const rest = encode({ type: "response", answers: [{ ...asAnswer(record), name: "." }] }).subarray(headerBytes + 1);
    const written = Buffer.concat([...parts, rest]);
    if (this.#length + written.length > limit) return false;
    for (const [suffix, offset] of names) this.#known.set(suffix, this.#length + offset);
    this.#parts.push(written);
    this.#length += written.length;
    return true;
  }

  bytes(): Buffer {
    return Buffer.concat(this.#parts);
  }

  #name(name: string): { readonly parts: readonly Buffer[]; readonly names: readonly (readonly [string, number])[] } {
    assertName(name);
    const labels = name === "" ? [] : name.split(".");
    const parts: Buffer[] = [];
    const names: [string, number][] = [];
    let offset = 0;
    for (const [index, label] of labels.entries()) {
      const suffix = labels.slice(index).join(".");
      const known = this.#known.get(suffix);
      if (known !== undefined) {
        const pointer = Buffer.alloc(2);
        pointer.writeUInt16BE(0xc000 | known);
        return { parts: [...parts, pointer], names };
      }
      if (this.#length + offset < 0x4000) names.push([suffix, offset]);
      const bytes = Buffer.from(label, "latin1");
      parts.push(Buffer.from([bytes.length]), bytes);
      offset += bytes.length + 1;
    }
    return { parts: [...parts, Buffer.alloc(1)], names };
  }
}

function asAnswer(record: DnsRecord): Answer {
  const { type, data } = record;
  if (type === "SRV") assertName(data.target);
  else if (type !== "SOA" && type !== "A" && type !== "AAAA" && type !== "TXT") assertName(data);
  return record;
}

function assertName(name: string): void {
  const labels = name === "" ? [] : name.split(".");
  const fits = name.length <= 253 && labels.every((label) => label.length > 0 && label.length <= 63);
  if (!fits) throw new Error(`${JSON.stringify(name)} is no name of DNS`);
}
