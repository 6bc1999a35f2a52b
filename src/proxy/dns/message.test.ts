import { decode, encode, type Packet, RECURSION_DESIRED } from "dns-packet";
import { describe, expect, test } from "vitest";
import { randomInt, seededRandom } from "../../internal/random.js";
import { type DnsQuery, encodeAnswer, failure, readQuery, refuseVersion, udpLimit } from "./message.js";
import type { DnsAnswer, DnsRecord } from "./record.js";

const opt = (udpPayloadSize: number, ednsVersion = 0): NonNullable<Packet["additionals"]>[number] => ({
  type: "OPT",
  name: ".",
  udpPayloadSize,
  extendedRcode: 0,
  ednsVersion,
  flags: 0,
  flag_do: false,
  options: [],
});

function bytesOf(name: string, more: Packet = {}): Buffer {
  return encode({ type: "query", id: 7, flags: RECURSION_DESIRED, questions: [{ name, type: "A" }], ...more });
}

function read(bytes: Buffer): DnsQuery {
  const result = readQuery(bytes);
  if ("reply" in result) throw new Error("the query was refused");
  return result.query;
}

const answerOf = (answers: readonly DnsRecord[], more: Partial<DnsAnswer> = {}): DnsAnswer => ({
  rcode: "NOERROR",
  authoritative: true,
  answers,
  authorities: [],
  additionals: [],
  ...more,
});
const name = "web.default.svc.cluster.local";
const addresses = (count: number): readonly DnsRecord[] =>
  Array.from({ length: count }, (_, index) => ({ name, type: "A", ttl: 30, data: `10.0.0.${index}` }));
function put16(bytes: Buffer, at: number, value: number): Buffer {
  bytes.writeUInt16BE(value, at);
  return bytes;
}
const rcodeOf = (bytes: Buffer | undefined): number => (bytes?.readUInt16BE(2) ?? 0) & 0xf;

describe("readQuery", () => {
  test("keeps the name as it was written", () => {
    expect(read(bytesOf("WeB.Default")).question).toEqual({ name: "WeB.Default", type: "A" });
    expect(read(bytesOf(".")).question).toEqual({ name: "", type: "A" });
  });

  test("a dot within a label does not part it", () => {
    const bytes = bytesOf("a-b.default");
    bytes[14] = ".".charCodeAt(0);
    expect(read(bytes).question.name).toBe("a\0b.default");
  });

  test.each<readonly [name: string, change: (bytes: Buffer) => Buffer, rcode: number | undefined]>([
    ["a response", (bytes) => put16(bytes, 2, 0x8000), undefined],
    ["less than a header", (bytes) => bytes.subarray(0, 11), undefined],
    ["nothing", () => Buffer.alloc(0), undefined],
    ["an update", (bytes) => put16(bytes, 2, 5 << 11), 4],
    ["two questions", (bytes) => put16(bytes, 4, 2), 1],
    ["no question", (bytes) => put16(bytes, 4, 0), 1],
    ["65535 answers", (bytes) => put16(bytes, 6, 65_535), 1],
    ["an additional record that is not there", (bytes) => put16(bytes, 10, 1), 1],
    ["a header alone", (bytes) => bytes.subarray(0, 12), 1],
    ["half a question", (bytes) => bytes.subarray(0, bytes.length - 3), 1],
    ["a name that points to itself", (bytes) => put16(bytes, 12, 0xc00c), 1],
    ["a label of 200 bytes", (bytes) => put16(bytes, 12, 200 << 8), 1],
  ])("%s", (_, change, rcode) => {
    const result = readQuery(change(bytesOf(name)));
    if (!("reply" in result)) throw new Error("it was taken");
    if (rcode === undefined) expect(result.reply).toBeUndefined();
    else {
      expect(rcodeOf(result.reply)).toBe(rcode);
      expect(result.reply?.readUInt16BE(0)).toBe(7);
      expect(result.reply).toHaveLength(12);
    }
  });

  test("never throws on garbage", () => {
    const random = seededRandom(11);
    for (let count = 0; count < 5000; count++) {
      const bytes = bytesOf(name, { additionals: [opt(1232)] });
      for (let change = randomInt(random, 6); change >= 0; change--) {
        bytes[randomInt(random, bytes.length)] = randomInt(random, 256);
      }
      const result = readQuery(bytes.subarray(0, randomInt(random, bytes.length + 1)));
      if ("query" in result) encodeAnswer(result.query, answerOf([]), 512);
    }
  });
});

describe("encodeAnswer", () => {
  test("writes what another library reads", () => {
    const soa = { mname: "ns", rname: "host", serial: 1, refresh: 2, retry: 3, expire: 4, minimum: 5 };
    const answer = answerOf(
      [
        { name: name.toUpperCase(), type: "CNAME", ttl: 5, data: "else.default.svc.cluster.local" },
        { name: "else.default.svc.cluster.local", type: "AAAA", ttl: 6, data: "fd00::1" },
        { name, type: "SRV", ttl: 7, data: { priority: 0, weight: 50, port: 80, target: name } },
        { name, type: "TXT", ttl: 8, data: "1.1.0" },
        { name, type: "PTR", ttl: 8, data: name },
      ],
      { authorities: [{ name: "cluster.local", type: "SOA", ttl: 9, data: soa }], additionals: addresses(2) },
    );
    const bytes = encodeAnswer(read(bytesOf(name.toUpperCase(), { additionals: [opt(4096)] })), answer, 4096);
    const packet = decode(bytes);
    expect(packet.flag_qr && packet.flag_aa && packet.flag_rd && !packet.flag_ra && !packet.flag_tc).toBe(true);
    expect(packet.questions?.[0]?.name).toBe(name.toUpperCase());
    const plain = (records: Packet["answers"]): unknown[] =>
      (records ?? []).map((record) => ({
        name: record.name,
        type: record.type,
        ...("data" in record ? { data: record.data } : {}),
      }));
    const wanted = (records: readonly DnsRecord[]): unknown[] =>
      records.map(({ ttl: _, ...record }) =>
        record.type === "TXT" ? { ...record, data: [Buffer.from("1.1.0")] } : record,
      );
    expect(plain(packet.answers)).toEqual(wanted(answer.answers));
    expect(plain(packet.authorities)).toEqual(wanted(answer.authorities));
    expect(plain(packet.additionals)).toEqual([...wanted(answer.additionals), { name: ".", type: "OPT" }]);
  });

  test("a name is written once", () => {
    // 12 of the header, 35 of the question, 16 of each address.
    expect(encodeAnswer(read(bytesOf(name)), answerOf(addresses(20)), 4096)).toHaveLength(12 + 35 + 20 * 16);
  });

  test("what does not fit is left out and said to be", () => {
    const whole = encodeAnswer(read(bytesOf(name)), answerOf(addresses(29)), 512);
    expect(decode(whole)).toMatchObject({ flag_tc: false });
    const bytes = encodeAnswer(read(bytesOf(name)), answerOf(addresses(60)), 512);
    expect(bytes.length).toBeLessThanOrEqual(512);
    const packet = decode(bytes);
    expect(packet.flag_tc).toBe(true);
    expect(packet.answers).toHaveLength(29);
  });

  test("the client's size counts, between 512 and 4096", () => {
    expect(udpLimit(read(bytesOf(name)))).toBe(512);
    expect(udpLimit(read(bytesOf(name, { additionals: [opt(100)] })))).toBe(512);
    expect(udpLimit(read(bytesOf(name, { additionals: [opt(1232)] })))).toBe(1232);
    expect(udpLimit(read(bytesOf(name, { additionals: [opt(65_535)] })))).toBe(4096);
    const query = read(bytesOf(name, { additionals: [opt(1232)] }));
    const bytes = encodeAnswer(query, answerOf(addresses(100)), udpLimit(query));
    expect(bytes.length).toBeLessThanOrEqual(1232);
    expect(decode(bytes).additionals).toHaveLength(1);
  });

  test("names that DNS cannot have are refused", () => {
    const long = "a".repeat(64);
    const answer = answerOf([{ name, type: "CNAME", ttl: 1, data: `${long}.example` }]);
    expect(() => encodeAnswer(read(bytesOf(name)), answer, 512)).toThrow(/no name of DNS/);
  });

  test("failures repeat the question", () => {
    const packet = decode(failure(read(bytesOf(name)), "SERVFAIL"));
    expect(packet).toMatchObject({ rcode: "SERVFAIL", id: 7, questions: [{ name }] });
  });

  test("another version of EDNS is refused with BADVERS", () => {
    const [record] = decode(refuseVersion(read(bytesOf(name, { additionals: [opt(1232, 1)] })))).additionals ?? [];
    expect(record).toMatchObject({ type: "OPT", extendedRcode: 1, ednsVersion: 0 });
  });
});
