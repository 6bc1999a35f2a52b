import { describe, expect, it } from "vitest";
import { age, humanDuration } from "./human-duration.js";

const s = 1000;
const m = 60 * s;
const h = 60 * m;
const d = 24 * h;
const y = 365 * d;

describe("humanDuration", () => {
  const cases: readonly { readonly ms: number; readonly text: string }[] = [
    { ms: -5 * s, text: "<invalid>" },
    { ms: -s, text: "0s" },
    { ms: 0, text: "0s" },
    { ms: 999, text: "0s" },
    { ms: 119 * s, text: "119s" },
    { ms: 2 * m, text: "2m" },
    { ms: 9 * m + 59 * s, text: "9m59s" },
    { ms: 10 * m + 59 * s, text: "10m" },
    { ms: 3 * h - 1, text: "179m" },
    { ms: 3 * h, text: "3h" },
    { ms: 3 * h + 20 * m, text: "3h20m" },
    { ms: 7 * h + 59 * m, text: "7h59m" },
    { ms: 8 * h + 59 * m, text: "8h" },
    { ms: 2 * d - 1, text: "47h" },
    { ms: 2 * d, text: "2d" },
    { ms: 5 * d + 3 * h, text: "5d3h" },
    { ms: 8 * d - 1, text: "7d23h" },
    { ms: 8 * d, text: "8d" },
    { ms: 2 * y - 1, text: "729d" },
    { ms: 2 * y, text: "2y" },
    { ms: 2 * y + 10 * d, text: "2y10d" },
    { ms: 8 * y - 1, text: "7y364d" },
    { ms: 8 * y + 30 * d, text: "8y" },
  ];
  for (const { ms, text } of cases) it(`prints ${ms} ms as ${text}`, () => expect(humanDuration(ms)).toBe(text));
});

describe("age", () => {
  const now = Date.UTC(2026, 0, 2);
  it("counts from the timestamp", () => expect(age("2026-01-01T00:00:00Z", now)).toBe("24h"));
  it("reads microseconds", () => expect(age("2026-01-01T23:59:00.123456Z", now)).toBe("59s"));
  it("says so when there is none", () => expect(age(undefined, now)).toBe("<unknown>"));
});
