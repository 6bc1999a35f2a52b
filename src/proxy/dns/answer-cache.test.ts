import { decode, encode, type Packet } from "dns-packet";
import { describe, expect, test } from "vitest";
import { VirtualClock } from "../../internal/virtual-clock.js";
import { AnswerCache } from "./answer-cache.js";

const query = (name: string, more: Packet = {}): Buffer =>
  encode({ type: "query", id: 1, questions: [{ name, type: "A" }], ...more });
const a = (ttl: number): NonNullable<Packet["answers"]> => [{ name: "a.test", type: "A", ttl, data: "192.0.2.1" }];
const answer = (more: Packet): Buffer =>
  encode({ type: "response", id: 1, questions: [{ name: "a.test", type: "A" }], ...more });
const soa = (ttl: number, minimum: number): NonNullable<Packet["answers"]> => [
  { name: "test", type: "SOA", ttl, data: { mname: "ns.test", rname: "host.test", minimum } },
];

describe("AnswerCache", () => {
  test.each<readonly [name: string, message: Packet, seconds: number]>([
    ["as long as it says", { answers: a(12) }, 12],
    ["as long as the shortest says", { answers: [...a(20), ...a(7)] }, 7],
    ["at most 30 s", { answers: a(3600) }, 30],
    ["not at all without time to live", { answers: a(0) }, 0],
    ["a name that is not there: as the zone says", { flags: 3, authorities: soa(25, 9) }, 9],
    ["no data: as the zone's record says", { authorities: soa(8, 900) }, 8],
    ["not what says nothing", {}, 0],
    ["no failure", { flags: 2, authorities: soa(8, 8) }, 0],
    ["nothing that was cut", { flags: 0x200, answers: a(12) }, 0],
  ])("keeps an answer: %s", async (_, message, seconds) => {
    const clock = new VirtualClock();
    const cache = new AnswerCache(clock);
    cache.put(query("a.test"), answer(message));
    if (seconds > 0) {
      await clock.advance(seconds * 1000 - 1);
      expect(cache.get(query("a.test"))).toBeDefined();
      await clock.advance(1);
    }
    expect(cache.get(query("a.test"))).toBeUndefined();
  });

  test("the time to live goes down, and the question is the client's", async () => {
    const clock = new VirtualClock();
    const cache = new AnswerCache(clock);
    cache.put(query("a.test"), answer({ answers: a(20) }));
    await clock.advance(5500);
    const packet = decode(cache.get(query("A.Test")) ?? Buffer.alloc(0));
    expect(packet.answers?.[0]).toMatchObject({ ttl: 15 });
    expect(packet.questions?.[0]?.name).toBe("A.Test");
  });

  test("who asks in another way is not answered from it", () => {
    const cache = new AnswerCache(new VirtualClock());
    cache.put(query("a.test"), answer({ answers: a(20) }));
    expect(cache.get(query("b.test"))).toBeUndefined();
    expect(cache.get(query("a.test", { questions: [{ name: "a.test", type: "AAAA" }] }))).toBeUndefined();
    expect(cache.get(query("a.test", { flags: 0x10 }))).toBeUndefined();
  });

  test("messages that lie about their length are not kept", () => {
    const cache = new AnswerCache(new VirtualClock());
    for (let length = 24; length < answer({ answers: a(20) }).length; length++) {
      cache.put(query("a.test"), answer({ answers: a(20) }).subarray(0, length));
      expect(cache.get(query("a.test"))).toBeUndefined();
    }
  });
});
