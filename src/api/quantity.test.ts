import { describe, expect, it } from "vitest";
import {
  canonicalQuantity,
  compareQuantities,
  parseQuantity,
  Quantity,
  QuantityError,
  quantityMilliValue,
  quantityValue,
} from "./quantity.js";

describe("quantities", () => {
  it.each([
    ["0", "0"],
    ["0m", "0"],
    ["0.5", "500m"],
    ["1.5", "1500m"],
    ["1500m", "1500m"],
    ["1000m", "1"],
    ["100m", "100m"],
    ["1000", "1k"],
    ["1024", "1024"],
    ["1024Ki", "1Mi"],
    ["1Gi", "1Gi"],
    ["1.5Gi", "1536Mi"],
    ["0.5Ki", "512"],
    ["0.1Ki", "102400m"],
    ["1023Ki", "1023Ki"],
    ["1e3", "1e3"],
    ["1E3", "1e3"],
    ["12e2", "1200"],
    ["1.5e-3", "1500e-6"],
    ["100E", "9223372036854775807"],
    ["-1.5", "-1500m"],
    ["+1", "1"],
    ["1n", "1n"],
    ["0.1n", "1n"],
    ["-0.1n", "-1n"],
    [".5", "500m"],
    ["5.", "5"],
    ["1E", "1E"],
    ["1e1000000", "9223372036854775807"],
    [1, "1"],
    [0.25, "250m"],
  ] as const)("%s is %s", (text, canonical) => {
    expect(parseQuantity(text).toString()).toBe(canonical);
    expect(canonicalQuantity(text)).toBe(canonical);
    expect(parseQuantity(canonical).toString()).toBe(canonical);
  });

  it.each(["", "-", ".", "aoeu", "1.1.M", "1+1.0M", "1 Gi", "Infinity"])("refuses %s", (text) => {
    expect(() => parseQuantity(text)).toThrow("quantities must match the regular expression");
  });

  it.each(["1i", ".5i", "0.1mi", "1Kim", "-3.01e-"])("refuses the suffix of %s", (text) => {
    expect(() => parseQuantity(text)).toThrow(new QuantityError("unable to parse quantity's suffix"));
  });

  it.each([
    ["100m", 100, 1],
    ["2", 2000, 2],
    ["1500m", 1500, 2],
    ["64Mi", 67108864000, 67108864],
    ["1n", 1, 1],
    ["-1500m", -1500, -2],
    ["16Gi", 17179869184000, 17179869184],
    ["128974848", 128974848000, 128974848],
    ["129e6", 129000000000, 129000000],
  ] as const)("%s is %d thousandths, %d units", (text, milli, value) => {
    expect(quantityMilliValue(text)).toBe(milli);
    expect(quantityValue(text)).toBe(value);
    expect(parseQuantity(text).milliValue()).toBe(milli);
    expect(parseQuantity(text).value()).toBe(value);
  });

  it("adds, subtracts and compares exactly", () => {
    expect(parseQuantity("100m").add(parseQuantity("0.9")).toString()).toBe("1");
    expect(parseQuantity("1Gi").sub(parseQuantity("1Mi")).toString()).toBe("1023Mi");
    expect(Quantity.zero.add(parseQuantity("1Gi")).toString()).toBe("1Gi");
    expect(compareQuantities("1Gi", "1G")).toBe(1);
    expect(compareQuantities("1", "1000m")).toBe(0);
    expect(Quantity.fromMilli(1500).toString()).toBe("1500m");
    expect(Quantity.fromValue(1024, "BinarySI").toString()).toBe("1Ki");
  });
});
