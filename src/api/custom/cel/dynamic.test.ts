import { describe, expect, it } from "vitest";
import { dynamicSteps, dynamicValue } from "./dynamic.js";

describe("a value without a schema", () => {
  it("has integers, lists and maps, in their order", () => {
    const value = { b: [1, 1.5, "x", null, [], {}], a: { d: true, c: [{ e: 2 }, 3] } };
    expect(dynamicValue(value)).toEqual(
      new Map<string, unknown>([
        ["b", [1n, 1.5, "x", null, [], new Map()]],
        [
          "a",
          new Map<string, unknown>([
            ["d", true],
            ["c", [new Map([["e", 2n]]), 3n]],
          ]),
        ],
      ]),
    );
    expect([...(dynamicValue(value) as Map<string, unknown>).keys()]).toEqual(["b", "a"]);
    expect([1, 1.5, "x", null, true].map(dynamicValue)).toEqual([1n, 1.5, "x", null, true]);
  });

  it("is converted in turns when it is big", () => {
    const list = Array.from({ length: 30_000 }, (_, index) => ({ name: `n${index}`, ports: [index] }));
    const steps = dynamicSteps({ list });
    let turns = 0;
    let step = steps.next();
    for (; step.done !== true; step = steps.next()) turns++;
    expect(turns).toBeGreaterThan(3);
    expect(step.value).toEqual(dynamicValue({ list }));
  });
});
