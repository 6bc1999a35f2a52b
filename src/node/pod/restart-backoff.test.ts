import { expect, test } from "vitest";
import { formatSeconds, RestartBackoff } from "./restart-backoff.js";

test("10 s, doubling to 5 minutes, counted from the end of the last run", () => {
  const backoff = new RestartBackoff();
  const waits: number[] = [];
  let now = 0;
  for (let run = 0; run < 8; run++) {
    const left = backoff.leftMs("c", now, now);
    waits.push(left / 1000);
    now += left;
    backoff.next("c", now, now);
  }
  expect(waits).toEqual([0, 10, 20, 40, 80, 160, 300, 300]);
});

test("ten minutes without an end forget it", () => {
  const backoff = new RestartBackoff();
  backoff.next("c", 0, 0);
  backoff.next("c", 20_000, 20_000);
  expect(backoff.leftMs("c", 30_000, 30_000)).toBe(20_000);
  expect(backoff.leftMs("c", 700_000, 700_000)).toBe(0);
  backoff.next("c", 700_000, 700_000);
  expect(backoff.delayMs("c")).toBe(10_000);
});

test.each([
  [10_000, "10s"],
  [80_000, "1m20s"],
  [300_000, "5m0s"],
  [3_660_000, "1h1m0s"],
])("%d ms is %s", (ms, text) => {
  expect(formatSeconds(ms)).toBe(text);
});
