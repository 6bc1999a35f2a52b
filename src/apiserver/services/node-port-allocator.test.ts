import { describe, expect, test } from "vitest";
import { seededRandom } from "../../internal/random.js";
import { MemoryStore } from "../../store/index.js";
import { NodePortAllocator } from "./node-port-allocator.js";

describe("ports that nobody chose", () => {
  test.each([
    { name: "the usual range", from: 30_000, to: 32_767, band: 86 },
    { name: "a small range", from: 30_000, to: 30_099, band: 16 },
    { name: "a large range", from: 10_000, to: 19_999, band: 128 },
    { name: "a tiny range", from: 30_000, to: 30_015, band: 0 },
  ])("come from the upper part while there is room: $name", async ({ from, to, band }) => {
    const store = new MemoryStore();
    const ports = new NodePortAllocator(store, "/registry", { from, to }, seededRandom(1));
    for (let round = 0; round < 200; round++) {
      expect(await ports.takeAny(true)).toBeGreaterThanOrEqual(from + band);
    }
    await ports.reset(Array.from({ length: to - from + 1 - band }, (_, step) => from + band + step));
    const last = await ports.takeAny();
    if (band === 0) expect(last).toBeUndefined();
    else expect(last).toBeLessThan(from + band);
    await store[Symbol.asyncDispose]();
  });
});
