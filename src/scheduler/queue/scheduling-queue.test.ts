import { beforeEach, describe, expect, it } from "vitest";
import { seededRandom } from "../../internal/random.js";
import { VirtualClock } from "../../internal/virtual-clock.js";
import { makePod, type PodOptions } from "../../testing/builders.js";
import { type PodInfo, podInfo } from "../cache/pod-info.js";
import type { RequeueInterest } from "../framework/policy.js";
import { QuantityCache } from "../framework/resources.js";
import { Heap, type Heaped } from "./heap.js";
import { SchedulingQueue } from "./scheduling-queue.js";

let clock: VirtualClock;
let queue: SchedulingQueue;
let gated: Set<string>;
const interests = new Map<string, readonly RequeueInterest[]>([
  ["Fit", [{ resource: "AssignedPod", actions: ["Delete"], hint: (pod) => pod.metadata.name !== "huge" }]],
  ["Never", []],
]);

const info = (name: string, options: PodOptions = {}): PodInfo => podInfo(makePod(name, options), new QuantityCache());
const popped = (): string | undefined => queue.pop()?.pod.metadata.name;
const gone = { resource: "AssignedPod" as const, actions: ["Delete" as const] };

beforeEach(() => {
  clock = new VirtualClock();
  gated = new Set();
  queue = new SchedulingQueue({
    clock,
    before: (a, b) => b.priority - a.priority || a.sequence - b.sequence,
    gate: ({ metadata }) => (gated.has(metadata.name) ? "Gate" : undefined),
    interests: (policy) => interests.get(policy),
    onReady: () => {},
  });
});

/** Takes the next pod and says that these policies rejected it. */
function reject(...policies: string[]): void {
  const entry = queue.pop();
  if (entry === undefined) throw new Error("nothing to reject");
  queue.reject(entry, new Set(policies));
}

describe("SchedulingQueue", () => {
  it("gives higher priority first, then first come", () => {
    for (const name of ["a", "b"]) queue.add(info(name));
    queue.add(info("urgent", { priority: 5 }));
    expect([popped(), popped(), popped(), popped()]).toEqual(["urgent", "a", "b", undefined]);
  });

  it("holds a pod while it is tried, and lets it be deleted then", () => {
    queue.add(info("a"));
    const entry = queue.pop();
    queue.add(info("a"));
    expect(popped()).toBeUndefined();
    queue.delete(info("a").uid);
    if (entry !== undefined) queue.retry(entry);
    expect(queue.counts).toEqual({ active: 0, backoff: 0, resting: 0 });
  });

  it("wakes resting pods by the events that their policies wait for, and only those that they help", () => {
    for (const name of ["a", "huge", "stuck"]) queue.add(info(name));
    reject("Fit");
    reject("Fit");
    reject("Never");
    queue.moveOn({ resource: "Node", actions: ["Add"] });
    expect(queue.counts.resting).toBe(3);
    queue.moveOn(gone);
    expect(queue.counts).toEqual({ active: 0, backoff: 1, resting: 2 });
    expect(popped()).toBe("a");
  });

  it("does not let a pod rest when something happened while it was tried", () => {
    queue.add(info("a"));
    const entry = queue.pop();
    queue.moveOn(gone);
    if (entry !== undefined) queue.reject(entry, new Set(["Fit"]));
    expect(queue.counts.resting).toBe(0);
    expect(popped()).toBe("a");
  });

  it("lets a pod skip its back-off when there is nothing else to do, but not time after time", async () => {
    queue.add(info("a"));
    for (const _ of ["first", "early"]) {
      const entry = queue.pop();
      if (entry === undefined) throw new Error("not ready");
      queue.moveOn(gone);
      queue.reject(entry, new Set(["Fit"]));
    }
    expect(popped()).toBeUndefined();
    await clock.advance(2_000);
    expect(popped()).toBe("a");
  });

  it("makes failed attempts wait 1, 2, 4, 8, then 10 seconds, also with nothing else to do", async () => {
    queue.add(info("a"));
    for (const seconds of [1, 2, 4, 8, 10, 10]) {
      const entry = queue.pop();
      if (entry === undefined) throw new Error("not ready");
      queue.retry(entry);
      await clock.advance(seconds * 1000 - 1);
      expect(popped()).toBeUndefined();
      await clock.advance(1);
    }
    expect(popped()).toBe("a");
  });

  it("tries again what nothing woke for five minutes", async () => {
    queue.add(info("a"));
    reject("Never");
    await clock.advance(299_000);
    expect(popped()).toBeUndefined();
    await clock.advance(1_000);
    expect(popped()).toBe("a");
  });

  it("keeps gated pods out until an update opens the gate", async () => {
    gated.add("a");
    queue.add(info("a"));
    await clock.advance(600_000);
    queue.moveOn({ resource: "*", actions: ["Update"] });
    expect(popped()).toBeUndefined();
    gated.clear();
    queue.update(null, info("a"));
    expect(popped()).toBeUndefined();
    queue.update({ resource: "UnscheduledPod", actions: ["Update"] }, info("a"));
    expect(popped()).toBe("a");
  });

  it("sorts anew when the order changes", () => {
    for (const name of ["a", "b", "c"]) queue.add(info(name));
    queue.reorder((a, b) => b.sequence - a.sequence);
    expect([popped(), popped(), popped()]).toEqual(["c", "b", "a"]);
  });
});

describe("Heap", () => {
  it("gives items in order whatever was removed in between", () => {
    const random = seededRandom(7);
    for (let round = 0; round < 200; round++) {
      const heap = new Heap<Heaped & { value: number }>((a, b) => a.value < b.value);
      const items = Array.from({ length: 30 }, () => ({ value: Math.floor(random.next() * 20), position: -1 }));
      for (const item of items) heap.push(item);
      const removed = items.filter(() => random.next() < 0.3);
      for (const item of removed) heap.remove(item);
      const left = items.filter((item) => !removed.includes(item)).map(({ value }) => value);
      const order: number[] = [];
      for (let item = heap.pop(); item !== undefined; item = heap.pop()) order.push(item.value);
      expect(order).toEqual(left.sort((a, b) => a - b));
    }
  });
});
