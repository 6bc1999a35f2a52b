import { describe, expect, it } from "vitest";
import { VirtualClock } from "../../internal/virtual-clock.js";
import type { AuditBatchOptions } from "./backend.js";
import { Batcher } from "./batcher.js";
import type { AuditEvent } from "./event.js";
import { makeEvent } from "./fixture.js";
import { AuditLog } from "./log-backend.js";

interface Rig {
  readonly clock: VirtualClock;
  readonly batcher: Batcher;
  readonly sent: number[];
  readonly lost: string[];
  release: () => void;
  write(count: number, more?: Partial<AuditEvent>): Promise<void>;
}

function rig(options: AuditBatchOptions & { readonly hold?: boolean; readonly maxBatchBytes?: number } = {}): Rig {
  const clock = new VirtualClock();
  const sent: number[] = [];
  const lost: string[] = [];
  const one: Rig = {
    clock,
    sent,
    lost,
    release: () => {},
    batcher: new Batcher(
      {
        write: async (events) => {
          sent.push(events.length);
          if (options.hold) await new Promise<void>((resolve) => (one.release = resolve));
        },
      },
      { ...options, clock, lost: (plugin, _, events) => lost.push(...events.map(() => plugin)) },
    ),
    async write(count, more) {
      for (let at = 0; at < count; at++) one.batcher.write(makeEvent(more));
      await settle();
    },
  };
  return one;
}

const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
};

describe("Batcher", () => {
  it("sends a batch when it is full", async () => {
    const one = rig({ maxBatchSize: 3 });
    await one.write(2);
    expect(one.sent).toEqual([]);
    await one.write(2);
    expect(one.sent).toEqual([3]);
  });

  it("sends what there is when the first has waited long enough", async () => {
    const one = rig({ maxBatchSize: 3, maxBatchWaitMs: 1000 });
    await one.write(2);
    await one.clock.advance(999);
    expect(one.sent).toEqual([]);
    await one.clock.advance(1);
    await settle();
    expect(one.sent).toEqual([2]);
  });

  it("sends no more in a second than it may, after a burst", async () => {
    const one = rig({ maxBatchSize: 1, throttle: { qps: 1, burst: 2 } });
    await one.write(4);
    expect(one.sent).toHaveLength(2);
    await one.clock.advance(1000);
    await settle();
    expect(one.sent).toHaveLength(3);
  });

  it("loses what it has no room for, while a batch is being sent", async () => {
    const one = rig({ maxBatchSize: 1, bufferSize: 2, hold: true });
    await one.write(1);
    await one.write(3);
    expect(one.sent).toEqual([1]);
    expect(one.lost).toEqual(["buffered"]);
  });

  it("makes several batches of one that would be too large", async () => {
    const one = rig({ maxBatchSize: 3, maxBatchBytes: 5000 });
    await one.write(3, { requestURI: "/".repeat(2000) });
    await one.batcher.close(0);
    expect(one.sent).toEqual([1, 1, 1]);
  });

  it("sends the rest when it is closed, and takes nothing more", async () => {
    const one = rig({ maxBatchSize: 3 });
    await one.write(2);
    await one.batcher.close(1000);
    await one.write(1);
    expect(one.sent).toEqual([2]);
    expect(one.lost).toEqual(["buffered"]);
  });

  it("loses what could not be sent before its time was over", async () => {
    const one = rig({ maxBatchSize: 1, hold: true });
    await one.write(3);
    const closed = one.batcher.close(1000);
    await one.clock.advance(1000);
    one.release();
    await closed;
    expect(one.sent).toEqual([1]);
    expect(one.lost).toEqual(["custom", "custom"]);
  });
});

describe("AuditLog", () => {
  it("writes what comes together together, and each waits for its own", async () => {
    const written: string[] = [];
    const done: number[] = [];
    let release = (): void => {};
    const output = {
      write: (lines: string) => {
        written.push(lines);
        return new Promise<void>((resolve) => (release = resolve));
      },
    };
    const log = new AuditLog({ output });
    const write = (at: number): void => void log.write([makeEvent({ auditID: `${at}` })]).then(() => done.push(at));
    write(0);
    write(1);
    await settle();
    write(2);
    expect(written.map((lines) => lines.split("\n").length - 1)).toEqual([2]);
    expect(done).toEqual([]);
    release();
    await settle();
    expect(done).toEqual([0, 1]);
    expect(JSON.parse(written[1] ?? "")).toMatchObject({ auditID: "2" });
  });

  it("tells of a failure, and goes on", async () => {
    let full = true;
    const output = { write: async () => (full ? Promise.reject(new Error("disk full")) : undefined) };
    const log = new AuditLog({ output, format: "legacy" });
    await expect(log.write([makeEvent()])).rejects.toThrow("disk full");
    full = false;
    await expect(log.write([makeEvent()])).resolves.toBeUndefined();
  });

  it("takes no more than it has room for while the output hangs", async () => {
    const log = new AuditLog({ output: { write: () => new Promise(() => {}) } });
    const event = makeEvent({ requestURI: "x".repeat(20 * 1024 * 1024) });
    for (let at = 0; at < 3; at++) void log.write([event]);
    await expect(log.write([event])).rejects.toThrow("too much waits");
  });
});
