import { expect, test } from "vitest";
import { CpuRates } from "./stats.js";

test("CPU time is told per second once it was seen twice", () => {
  const rates = new CpuRates();
  expect(rates.of("a", 1_000, 5e9)).toBeUndefined();
  expect(rates.of("a", 1_500, 6e9)).toBeUndefined();
  expect(rates.of("a", 3_000, 6e9)).toBe(5e8);
  // Too soon for a new one.
  expect(rates.of("a", 3_900, 9e9)).toBe(5e8);
  expect(rates.of("a", 13_000, 6e9)).toBe(0);
  expect(rates.of("b", 13_000, 1e9)).toBeUndefined();
});

test("a counter that begins anew has not run backwards, and what has gone is forgotten", () => {
  const rates = new CpuRates();
  rates.of("a", 1_000, 5e9);
  expect(rates.of("a", 2_000, 1e9)).toBe(0);
  expect(rates.of("a", 3_000, 2e9)).toBe(1e9);
  rates.retain(new Set(["b"]));
  expect(rates.of("a", 4_000, 3e9)).toBeUndefined();
});
