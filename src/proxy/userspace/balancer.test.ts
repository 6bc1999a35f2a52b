import { describe, expect, test } from "vitest";
import { VirtualClock } from "../../internal/virtual-clock.js";
import { Balancer, endpointKey } from "./balancer.js";

const endpoints = ["10.0.0.1", "10.0.0.2", "10.0.0.3"].map((ip) => ({
  ip,
  port: 80,
  ready: true,
  serving: true,
  terminating: false,
  local: true,
  forZones: [],
  forNodes: [],
}));

describe("Balancer", () => {
  test("goes round", () => {
    const balancer = new Balancer(new VirtualClock());
    const picked = Array.from({ length: 6 }, (_, index) => balancer.pick(endpoints, `c${index}`, undefined)?.ip);
    expect(picked).toEqual(["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.1", "10.0.0.2", "10.0.0.3"]);
  });

  test("passes over what was tried, until nothing is left", () => {
    const balancer = new Balancer(new VirtualClock());
    const tried = new Set(endpoints.slice(0, 2).map(endpointKey));
    expect(balancer.pick(endpoints, "c", undefined, tried)?.ip).toBe("10.0.0.3");
    expect(balancer.pick(endpoints, "c", undefined, new Set(endpoints.map(endpointKey)))).toBeUndefined();
  });

  test("keeps a client with its endpoint until it stays away too long", async () => {
    const clock = new VirtualClock();
    const balancer = new Balancer(clock);
    const first = balancer.pick(endpoints, "c", 10)?.ip;
    for (let round = 0; round < 5; round++) {
      await clock.advance(9000);
      expect(balancer.pick(endpoints, "c", 10)?.ip).toBe(first);
    }
    await clock.advance(10_000);
    expect(balancer.pick(endpoints, "c", 10)?.ip).not.toBe(first);
  });

  test("gives a client another endpoint when its own is gone", () => {
    const balancer = new Balancer(new VirtualClock());
    const first = balancer.pick(endpoints, "c", 10);
    const rest = endpoints.filter((endpoint) => endpoint !== first);
    const second = balancer.pick(rest, "c", 10);
    expect(rest).toContain(second);
    expect(balancer.pick(endpoints, "c", 10)).toBe(second);
  });
});
