import { expect, test } from "vitest";
import { adjustedLimits, type Claim, seatLimits } from "./concurrency.js";

const level = (nominal: number, min: number, max: number, highWatermark: number, smoothed = highWatermark): Claim => ({
  nominal,
  min,
  max,
  exempt: false,
  highWatermark,
  smoothed,
});
const exempt = (highWatermark: number): Claim => ({ ...level(0, 0, 600, highWatermark), exempt: true });

test.each([
  {
    name: "idle ones keep the same part of what they do not lend",
    claims: [level(60, 40, 160, 0), level(40, 10, 140, 0)],
    limits: [80, 20],
  },
  {
    name: "who wants borrows what others do not",
    claims: [level(50, 10, 150, 90), level(50, 10, 150, 0)],
    limits: [90, 10],
  },
  { name: "no more than it may borrow", claims: [level(50, 10, 60, 500), level(50, 10, 150, 0)], limits: [60, 40] },
  {
    name: "who used its own is sure of it",
    claims: [level(50, 10, 150, 500), level(50, 10, 150, 50)],
    limits: [50, 50],
  },
  { name: "what is not lent stays", claims: [level(50, 50, 150, 0), level(50, 50, 150, 500)], limits: [50, 50] },
  {
    name: "exempt requests take what others could lend",
    claims: [exempt(60), level(50, 10, 150, 50), level(50, 20, 150, 20)],
    limits: [60, 20, 20],
  },
  {
    name: "but not what they do not",
    claims: [exempt(90), level(50, 10, 150, 50), level(50, 20, 150, 50)],
    limits: [90, 10, 20],
  },
  {
    name: "three that borrow share by what they want",
    claims: [level(30, 0, 300, 20, 40), level(30, 0, 300, 20, 80), level(40, 0, 300, 0, 0)],
    limits: [33, 67, 0],
  },
])("$name", ({ claims, limits }) => {
  expect(adjustedLimits(claims)).toEqual(limits);
});

test("limits follow from shares and percentages", () => {
  const shares = { shares: 1, lendablePercent: 50, borrowingLimitPercent: 20 };
  expect(seatLimits(shares, 3, 100)).toEqual({ nominal: 34, min: 17, max: 41 });
  expect(seatLimits({ ...shares, borrowingLimitPercent: undefined }, 3, 100).max).toBe(134);
  expect(seatLimits({ ...shares, shares: 0 }, 0, 100)).toEqual({ nominal: 0, min: 0, max: 0 });
});
