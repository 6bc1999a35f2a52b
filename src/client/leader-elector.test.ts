import { expect, test } from "vitest";
import { leases, statusErrors } from "../api/index.js";
import { seededRandom } from "../internal/random.js";
import { VirtualClock } from "../internal/virtual-clock.js";
import { FakeApi } from "../testing/fake-api.js";
import { createClient } from "./client.js";
import { LeaderElector } from "./leader-elector.js";

function setup() {
  const clock = new VirtualClock();
  const random = seededRandom(7);
  const api = new FakeApi({ clock, random });
  const client = createClient(api);
  const leading = new Set<string>();
  let overlaps = 0;
  const candidate = (identity: string) => {
    const stop = new AbortController();
    const elector = new LeaderElector({ client, namespace: "kube-system", name: "test", identity, clock, random });
    const ended = elector.run(stop.signal, async (signal) => {
      leading.add(identity);
      if (leading.size > 1) overlaps++;
      await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
      leading.delete(identity);
    });
    return { stop, elector, ended };
  };
  return { clock, api, client, candidate, leading, overlaps: () => overlaps };
}

test("one leads, and when it stops it hands over within a retry period", async () => {
  const { clock, client, candidate, leading } = setup();
  const a = candidate("a");
  await clock.advance(0);
  const b = candidate("b");
  await clock.advance(60_000);
  expect([...leading]).toEqual(["a"]);
  a.stop.abort();
  await clock.advance(5000);
  expect(await a.ended).toBe("stopped");
  expect([...leading]).toEqual(["b"]);
  const lease = await client.get(leases, { namespace: "kube-system", name: "test" });
  expect(lease.spec?.leaseTransitions).toBe(1);
  expect(lease.spec?.leaseDurationSeconds).toBe(15);
  b.stop.abort();
  await clock.advance(100);
});

test("a leader cut off from the server steps down before another may begin", async () => {
  const { clock, api, candidate, leading, overlaps } = setup();
  const a = candidate("a");
  await clock.advance(0);
  candidate("b");
  await clock.advance(10_000);
  api.intercept = (request) => {
    const holder = (request.body as { spec?: { holderIdentity?: string } } | undefined)?.spec?.holderIdentity;
    if (holder === "a") throw statusErrors.serviceUnavailable("cut off");
  };
  await clock.advance(12_100);
  expect(leading.has("a")).toBe(false);
  expect(await a.ended).toBe("lost");
  await clock.advance(25_000);
  expect([...leading]).toEqual(["b"]);
  expect(overlaps()).toBe(0);
});
