import { expect, test } from "vitest";
import { bytesText, type EvictionOptions, isMet, thresholdsOf, thresholdText } from "./thresholds.js";

const of = (options: EvictionOptions): string[] =>
  thresholdsOf(options).map(
    ({ signal, amount, graceMs }) => `${signal} ${"share" in amount ? amount.share : amount.value} ${graceMs}`,
  );

test("thresholds are upstream's unless others are given", () => {
  expect(of({})).toEqual([
    "memory.available 104857600 0",
    "nodefs.available 0.1 0",
    "nodefs.inodesFree 0.05 0",
    "imagefs.available 0.15 0",
    "imagefs.inodesFree 0.05 0",
  ]);
  expect(of({ hard: { "pid.available": "10%", "nodefs.available": "0%", "imagefs.available": "100%" } })).toEqual([
    "pid.available 0.1 0",
  ]);
  const soft = { "memory.available": "1Gi" };
  expect(of({ hard: {}, soft, softGracePeriodSeconds: { "memory.available": 90 } })).toEqual([
    "memory.available 1073741824 90000",
  ]);
});

test.each<[string, object, string]>([
  ["an unknown signal", { hard: { "disk.available": "1Gi" } }, "unsupported eviction signal disk.available"],
  [
    "a soft one without a grace period",
    { soft: { "memory.available": "1Gi" } },
    "grace period must be specified for the soft eviction threshold memory.available",
  ],
  ["a percentage that is none", { hard: { "memory.available": "101%" } }, "must be >= 0% and <= 100%: 101%"],
  ["no number", { hard: { "memory.available": "much" } }, "invalid eviction threshold memory.available: much"],
  ["less than nothing", { hard: { "memory.available": "-1Gi" } }, "must be positive: -1Gi"],
  ["nothing to reclaim", { minimumReclaim: { "memory.available": "-1%" } }, "must be >= 0% and <= 100%: -1%"],
  [
    "time that runs backwards",
    { soft: { "memory.available": "1Gi" }, softGracePeriodSeconds: { "memory.available": -1 } },
    "invalid eviction grace period specified: -1",
  ],
])("%s is refused", (_name, options, message) => {
  expect(() => thresholdsOf(options)).toThrow(message);
});

test("a threshold is met below it, and with what is to be reclaimed above", () => {
  const [threshold] = thresholdsOf({
    hard: { "nodefs.available": "10%" },
    minimumReclaim: { "nodefs.available": "5%" },
  });
  if (threshold === undefined) throw new Error("there is one threshold");
  const reading = (available: number): { available: number; capacity: number } => ({ available, capacity: 1000 });
  expect([99, 100].map((available) => isMet(threshold, reading(available)))).toEqual([true, false]);
  expect([149, 150].map((available) => isMet(threshold, reading(available), true))).toEqual([true, false]);
  expect(thresholdText(threshold, reading(0))).toBe("100");
});

test("bytes are written as upstream does", () => {
  expect([0, 512, 1024, 3 * 2 ** 20, 2 ** 30 + 1024, 9_782_837_803].map(bytesText)).toEqual([
    "0",
    "512",
    "1Ki",
    "3Mi",
    "1048577Ki",
    "9782837803",
  ]);
});
