import { expect, test } from "vitest";
import { VirtualClock } from "../internal/virtual-clock.js";
import { Workqueue } from "./workqueue.js";

test("a key waits once, and one added while worked on comes again", async () => {
  const queue = new Workqueue({ clock: new VirtualClock() });
  queue.add("a");
  queue.add("a");
  queue.add("b");
  expect(queue.size).toBe(2);
  expect(await queue.next()).toBe("a");
  queue.add("a");
  expect(await queue.next()).toBe("b");
  expect(queue.size).toBe(0);
  queue.done("a");
  expect(queue.size).toBe(1);
  expect(await queue.next()).toBe("a");
});

test("of several delays the soonest counts", async () => {
  const clock = new VirtualClock();
  const queue = new Workqueue({ clock });
  queue.addAfter("a", 1000);
  queue.addAfter("a", 100);
  queue.addAfter("a", 500);
  await clock.advance(99);
  expect(queue.size).toBe(0);
  await clock.advance(1);
  expect(queue.size).toBe(1);
  await clock.advance(5000);
  expect(queue.size).toBe(1);
});

test("failures wait 5 ms, 10 ms, 20 ms, at most 1000 s, until forgotten", async () => {
  const clock = new VirtualClock();
  const queue = new Workqueue({ clock });
  const waited: number[] = [];
  const fail = async () => {
    const from = clock.now();
    queue.addRateLimited("a");
    while (queue.size === 0) await clock.advance(5);
    await queue.next();
    queue.done("a");
    waited.push(clock.now() - from);
  };
  for (let i = 0; i < 4; i++) await fail();
  queue.forget("a");
  await fail();
  expect(waited).toEqual([5, 10, 20, 40, 5]);
});

test("shutting down wakes the workers, and draining waits for the work under way", async () => {
  const queue = new Workqueue({ clock: new VirtualClock() });
  const idle = queue.next();
  queue.add("a");
  expect(await idle).toBe("a");
  queue.add("b");
  let drained = false;
  const draining = queue.shutDownWithDrain().then(() => {
    drained = true;
  });
  queue.add("ignored");
  expect(await queue.next()).toBe("b");
  queue.done("b");
  await Promise.resolve();
  expect(drained).toBe(false);
  queue.done("a");
  await draining;
  expect(await queue.next()).toBeUndefined();
});
