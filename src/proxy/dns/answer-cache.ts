import { LruMap } from "../../client/lru-map.js";
import type { Clock } from "../../internal/clock.js";
import { lowerCase, questionEnd } from "./upstream.js";

interface Entry {
  readonly answer: Buffer;
  /** Where the times to live are in it. */
  readonly ttlOffsets: readonly number[];
  readonly cachedAtMs: number;
  readonly expiresAtMs: number;
}

const maxEntries = 4096;
/** Longer answers are rare, and asked for again. */
const maxAnswerBytes = 4096;
/** As `cache 30` of kubeadm's CoreDNS. */
const maxTtlSeconds = 30;
const optType = 41;
const soaType = 6;

/** Keeps other resolvers' answers for as long as they say, at most 30 s and 4096 of them. */
export class AnswerCache {
  readonly #clock: Clock;
  readonly #entries = new LruMap<string, Entry>(maxEntries);

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The answer to this query, with the times to live that are left; its id is to be set. */
  get(query: Buffer): Buffer | undefined {
    const now = this.#clock.now();
    const entry = this.#entries.get(keyOf(query));
    if (entry === undefined || entry.expiresAtMs <= now) return undefined;
    const answer = Buffer.from(entry.answer);
    const age = Math.floor((now - entry.cachedAtMs) / 1000);
    for (const at of entry.ttlOffsets) answer.writeUInt32BE(Math.max(0, answer.readUInt32BE(at) - age), at);
    // The question, as this client wrote it.
    query.copy(answer, 12, 12, questionEnd(query));
    return answer;
  }

  /** Keeps answers that say that something is, or is not; not failures, and not what was cut. */
  put(query: Buffer, answer: Buffer): void {
    const flags = answer.readUInt16BE(2);
    const rcode = flags & 0xf;
    const isCut = (flags & 0x0200) !== 0;
    if (isCut || (rcode !== 0 && rcode !== 3) || answer.length > maxAnswerBytes || answer.readUInt16BE(4) !== 1) return;
    const times = timesToLive(answer);
    if (times === undefined || times.offsets.length === 0) return;
    const ttlSeconds = Math.min(maxTtlSeconds, times.seconds);
    if (ttlSeconds === 0) return;
    const now = this.#clock.now();
    this.#entries.set(keyOf(query), {
      answer: Buffer.from(answer),
      ttlOffsets: times.offsets,
      cachedAtMs: now,
      expiresAtMs: now + ttlSeconds * 1000,
    });
  }
}

/** All of a query but its number: who asks in another way, say for signatures, gets an answer of its own. */
function keyOf(query: Buffer): string {
  const end = questionEnd(query);
  const question = lowerCase(query.subarray(12, end)).toString("latin1");
  return `${query.toString("latin1", 2, 12)}${question}${query.toString("latin1", end)}`;
}

/** Where the records' times to live are, and the shortest; undefined where the message cannot be read. */
function timesToLive(message: Buffer): { readonly offsets: readonly number[]; readonly seconds: number } | undefined {
  const offsets: number[] = [];
  let seconds = Number.POSITIVE_INFINITY;
  let at = questionEnd(message);
  const records = message.readUInt16BE(6) + message.readUInt16BE(8) + message.readUInt16BE(10);
  for (let count = 0; count < records; count++) {
    while ((message[at] ?? 0) !== 0 && (message[at] ?? 0) < 0xc0) at += (message[at] ?? 0) + 1;
    at += (message[at] ?? 0) >= 0xc0 ? 2 : 1;
    if (at + 10 > message.length) return undefined;
    const type = message.readUInt16BE(at);
    const next = at + 10 + message.readUInt16BE(at + 8);
    if (next > message.length) return undefined;
    if (type !== optType) {
      offsets.push(at + 4);
      seconds = Math.min(seconds, message.readUInt32BE(at + 4));
      // How long a "no" is good for is the last number of the zone's own record (RFC 2308).
      if (type === soaType && message.readUInt16BE(6) === 0)
        seconds = Math.min(seconds, message.readUInt32BE(next - 4));
    }
    at = next;
  }
  return { offsets, seconds };
}
