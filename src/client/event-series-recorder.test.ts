import { expect, test } from "vitest";
import { events, statusErrors } from "../api/index.js";
import { seededRandom } from "../internal/random.js";
import { VirtualClock } from "../internal/virtual-clock.js";
import { makePod } from "../testing/builders.js";
import { FakeApi } from "../testing/fake-api.js";
import { createClient } from "./client.js";
import { createEventSeriesRecorder } from "./event-series-recorder.js";

function setup() {
  const clock = new VirtualClock();
  const random = seededRandom(1);
  const api = new FakeApi({ clock, random });
  const client = createClient(api);
  const recorder = createEventSeriesRecorder({ client, component: "default-scheduler", host: "one", clock, random });
  const all = async () => (await client.list(events)).items;
  const fail = (note: string): void => {
    recorder.event(makePod("web"), "Warning", "FailedScheduling", note, { action: "Scheduling" });
  };
  return { clock, api, recorder, all, fail };
}

test("what happens once is one event, with all that the API demands of a new one", async () => {
  const { clock, recorder, all } = setup();
  const details = { action: "Preempting", related: makePod("high"), reporter: "packing" };
  recorder.event(makePod("low"), "Normal", "Preempted", "Preempted by pod u on node n", details);
  await clock.advance(0);
  expect(await all()).toMatchObject([
    {
      metadata: { namespace: "default", name: expect.stringMatching(/^low\.[0-9a-f]+$/) },
      eventTime: expect.stringMatching(/\.\d{6}Z$/),
      reportingController: "packing",
      reportingInstance: "packing-one",
      action: "Preempting",
      reason: "Preempted",
      regarding: { kind: "Pod", name: "low", namespace: "default" },
      related: { kind: "Pod", name: "high" },
      note: "Preempted by pod u on node n",
      type: "Normal",
    },
  ]);
});

test("the second time makes it a series; more are told of when it has ended", async () => {
  const { clock, api, all, fail } = setup();
  for (let i = 0; i < 20; i++) {
    fail(`attempt ${i}`);
    await clock.advance(10_000);
  }
  const [event, ...others] = await all();
  expect(others).toEqual([]);
  expect(event).toMatchObject({ note: "attempt 0", series: { count: 2 } });
  expect(api.requests.filter(({ verb }) => verb === "create" || verb === "patch")).toHaveLength(2);
  await clock.advance(15 * 60_000);
  expect((await all())[0]?.series?.count).toBe(20);
  fail("much later");
  await clock.advance(0);
  expect((await all()).map(({ note, series }) => [note, series?.count])).toEqual([
    ["attempt 0", 20],
    ["much later", undefined],
  ]);
});

test("a series that goes on is told of every half hour", async () => {
  const { clock, all, fail } = setup();
  for (let minute = 0; minute < 40; minute++) {
    fail("again");
    await clock.advance(60_000);
  }
  const count = (await all())[0]?.series?.count ?? 0;
  expect(count).toBeGreaterThan(25);
  expect(count).toBeLessThan(40);
});

test("a note is cut at a kilobyte", async () => {
  const { clock, all, fail } = setup();
  fail("x".repeat(3000));
  await clock.advance(0);
  const note = (await all())[0]?.note ?? "";
  expect([note.length, note.slice(-5)]).toEqual([1024, "x ..."]);
});

test("an event that has run out meanwhile begins anew", async () => {
  const { clock, api, all, fail } = setup();
  fail("first");
  await clock.advance(0);
  const [event] = await all();
  api.intercept = ({ verb }) => {
    if (verb === "patch") throw statusErrors.notFound(events, event?.metadata.name ?? "");
    if (verb === "create") api.intercept = undefined;
  };
  const creates = api.requests.length;
  fail("second");
  await clock.advance(0);
  expect(api.requests.slice(creates).map(({ verb }) => verb)).toContain("create");
});

test("disposal leaves nothing running", async () => {
  const { clock, recorder, fail } = setup();
  fail("x");
  await clock.advance(0);
  await recorder[Symbol.asyncDispose]();
  expect(clock.pending).toBe(0);
});
