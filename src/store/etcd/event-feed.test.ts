import { expect, it } from "vitest";
import { silentLogger } from "../../internal/logger.js";
import { VirtualClock } from "../../internal/virtual-clock.js";
import { EventFeed } from "./event-feed.js";
import type { EtcdTransport, EtcdWatchResponse } from "./transport.js";

/** A feed whose watch fails when `cut` is called, and what it warns of. */
function feedThatFails(): { readonly feed: EventFeed; readonly cut: () => void; readonly warnings: string[] } {
  const warnings: string[] = [];
  let cut: () => void = () => {};
  const failure = new Promise<void>((resolve) => {
    cut = resolve;
  });
  const watch = async function* (): AsyncGenerator<EtcdWatchResponse> {
    yield* [];
    await failure;
    throw new Error("the stream was cut");
  };
  const unused = (): never => {
    throw new Error("a watch alone is expected");
  };
  const transport: EtcdTransport = {
    ...{ range: unused, write: unused, compact: unused, grantLease: unused },
    ...{ keepLeaseAlive: unused, revokeLease: unused, close: unused, watch },
  };
  const logger = { ...silentLogger, warn: (message: string): void => void warnings.push(message) };
  const options = { transport, clock: new VirtualClock(), logger, windowEvents: 10, windowBytes: 1000 };
  return { feed: new EventFeed(options, 1), cut, warnings };
}

it("warns of a watch that breaks off", async () => {
  const { feed, cut, warnings } = feedThatFails();
  const stop = new AbortController();
  const running = feed.run(stop.signal);
  cut();
  await expect.poll(() => warnings).toEqual(["The watch on etcd broke off"]);
  stop.abort();
  await running;
});

it("says nothing of the watch that it cuts itself by stopping", async () => {
  const { feed, cut, warnings } = feedThatFails();
  const stop = new AbortController();
  const running = feed.run(stop.signal);
  stop.abort();
  cut();
  await running;
  expect(warnings).toEqual([]);
});
