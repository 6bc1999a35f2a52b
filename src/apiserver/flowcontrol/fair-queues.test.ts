import { describe, expect, test } from "vitest";
import { VirtualClock } from "../../internal/virtual-clock.js";
import { type FairQueue, FairQueues, type FairQueuesConfig, type Turn } from "./fair-queues.js";
import { SeatDemand } from "./seat-demand.js";

class Request implements Turn {
  readonly flow: number;
  readonly seats: number;
  started = false;
  queue: FairQueue | undefined = undefined;
  arrivedMs = 0;
  arrivedAt = 0;
  startedMs = 0;

  constructor(flow: number, seats = 1) {
    this.flow = flow;
    this.seats = seats;
  }

  start(): void {
    this.started = true;
  }
}

const queued = { type: "queue", queues: 4, queueLengthLimit: 1000 } as const;

/** Requests wait in the queue that has their flow's number. */
function level(limit: number, config: FairQueuesConfig = queued) {
  const clock = new VirtualClock();
  const queues = new FairQueues(clock, new SeatDemand(clock.now()));
  queues.configure(config, limit);
  const enter = (flow: number, seats = 1): Request => {
    const request = new Request(flow, seats);
    queues.enter(request, [flow]);
    return request;
  };
  /** Lets those that run take so long, one round after the other, and counts by flow what was done. */
  const serve = async (rounds: number, durationMs: (request: Request) => number, refill?: () => void) => {
    const done = [0, 0, 0, 0];
    for (let round = 0; round < rounds; round++) {
      const ends = [...queues.executing].map((turn) => turn as Request);
      const end = Math.min(...ends.map((request) => request.startedMs + durationMs(request)));
      await clock.advance(Math.max(0, end - clock.now()));
      for (const request of ends) {
        if (request.startedMs + durationMs(request) > clock.now()) continue;
        queues.leave(request);
        done[request.flow] = (done[request.flow] ?? 0) + 1;
      }
      refill?.();
    }
    return done;
  };
  return { clock, queues, enter, serve };
}

describe("fair queues", () => {
  test("who comes later than a flood waits for no more than its turn", async () => {
    const { enter, serve, queues } = level(2);
    const flood = Array.from({ length: 200 }, () => enter(0));
    const late = enter(1);
    expect(flood.filter(({ started }) => started)).toHaveLength(2);
    expect(late.started).toBe(false);
    await serve(2, () => 10);
    expect(late.started).toBe(true);
    expect(queues.waiting).toBeGreaterThan(190);
  });

  test("flows that all want more get the same, however much more", async () => {
    const { enter, serve } = level(4);
    for (let at = 0; at < 900; at++) enter(0);
    const refill = (): void => {
      for (const flow of [1, 2, 3]) for (let at = 0; at < 4; at++) enter(flow);
    };
    refill();
    const done = await serve(400, () => 10, refill);
    expect(Math.max(...done) - Math.min(...done)).toBeLessThanOrEqual(8);
  });

  test("by seats and time, not by count: long and wide requests get fewer turns", async () => {
    const { enter, serve } = level(2);
    for (let at = 0; at < 600; at++) for (const flow of [0, 1]) enter(flow);
    const done = await serve(400, ({ flow }) => (flow === 0 ? 30 : 10));
    const [long = 0, short = 0] = done;
    expect(short / long).toBeGreaterThan(2.5);
    expect(short / long).toBeLessThan(3.5);
  });

  test("a wide one is not overtaken for ever, and goes alone where there are too few seats", async () => {
    const { enter, serve, queues } = level(3);
    for (let at = 0; at < 50; at++) enter(0);
    const wide = enter(1, 10);
    for (let round = 0; round < 40 && !wide.started; round++) {
      await serve(
        1,
        () => 10,
        () => [1, 2, 3].map(() => enter(0)),
      );
    }
    expect([...queues.executing]).toEqual([wide]);
    queues.leave(wide);
    expect(queues.executing.size).toBe(3);
  });

  test("a queue takes so many, unless there are seats", () => {
    const { queues } = level(1, { type: "queue", queues: 4, queueLengthLimit: 2 });
    const enter = (flow: number): string => queues.enter(new Request(flow), [flow]);
    expect([enter(0), enter(0), enter(0), enter(0), enter(1)]).toEqual([
      "started",
      "queued",
      "queued",
      "queue-full",
      "queued",
    ]);
  });

  test("among the queues of a hand, the one with the least waiting is chosen", () => {
    const { queues, enter } = level(1);
    enter(0);
    enter(1);
    enter(1);
    enter(2);
    const request = new Request(3);
    queues.enter(request, [1, 2, 3]);
    expect(request.queue).toBe(queues.queues[3]);
  });

  test("without queues what does not fit is refused at once, and exempt ones never are", () => {
    const strict = level(1, { type: "reject" }).queues;
    expect(strict.enter(new Request(0), [])).toBe("started");
    expect(strict.enter(new Request(0), [])).toBe("concurrency-limit");
    const exempt = level(0, { type: "exempt" }).queues;
    for (let at = 0; at < 10; at++) expect(exempt.enter(new Request(0), [])).toBe("started");
    expect(exempt.seatsInUse).toBe(10);
  });

  test("who leaves its queue is not dispatched, and leaves nothing behind", () => {
    const { queues, enter } = level(1);
    const first = enter(0);
    const second = enter(0);
    const third = enter(0);
    queues.leave(second);
    queues.leave(second);
    queues.leave(first);
    expect([second.started, third.started]).toEqual([false, true]);
    queues.leave(third);
    queues.leave(third);
    expect(queues).toMatchObject({ idle: true, waiting: 0, seatsInUse: 0, seatsWaiting: 0 });
  });

  test("fewer queues and seats, or more: who waits goes on", () => {
    const { queues, enter } = level(1);
    const running = enter(0);
    const waiting = enter(3);
    queues.configure({ type: "queue", queues: 1, queueLengthLimit: 10 }, 1);
    expect(queues.queues).toHaveLength(4);
    queues.configure({ type: "reject" }, 2);
    expect(waiting.started).toBe(true);
    queues.leave(running);
    queues.leave(waiting);
    expect(queues.queues).toHaveLength(0);
  });
});
