import { expect, test } from "vitest";
import { coreEvents, statusErrors } from "../api/index.js";
import { seededRandom } from "../internal/random.js";
import { VirtualClock } from "../internal/virtual-clock.js";
import { makePod } from "../testing/builders.js";
import { FakeApi } from "../testing/fake-api.js";
import { createClient } from "./client.js";
import { createEventRecorder } from "./event-recorder.js";

function setup() {
  const clock = new VirtualClock();
  const random = seededRandom(1);
  const api = new FakeApi({ clock, random });
  const client = createClient(api);
  const recorder = createEventRecorder({ client, component: "test", clock, random });
  const events = async () => (await client.list(coreEvents)).items;
  return { clock, api, recorder, events };
}

test("repeats are counted on one event", async () => {
  const { clock, recorder, events } = setup();
  for (let i = 0; i < 3; i++) {
    recorder.event(makePod("web"), "Normal", "Pulled", "it is here");
    await clock.advance(1000);
  }
  const all = await events();
  expect(all).toHaveLength(1);
  expect(all[0]).toMatchObject({
    count: 3,
    type: "Normal",
    reason: "Pulled",
    message: "it is here",
    source: { component: "test" },
    involvedObject: { kind: "Pod", name: "web", namespace: "default" },
  });
  expect(all[0]?.firstTimestamp).not.toBe(all[0]?.lastTimestamp);
});

test("messages that differ in detail only are folded after ten", async () => {
  const { clock, recorder, events } = setup();
  for (let i = 0; i < 15; i++) recorder.event(makePod("web"), "Warning", "Failed", `attempt ${i}`);
  await clock.advance(0);
  const all = await events();
  expect(all).toHaveLength(11);
  expect(all[10]?.count).toBe(5);
  expect(all[10]?.message).toBe("(combined from similar events): attempt 14");
});

test("an object gets 25 events at once, then one in five minutes", async () => {
  const { clock, recorder, events } = setup();
  for (let i = 0; i < 100; i++) recorder.event(makePod("web"), "Normal", `Reason${i}`, "x");
  await clock.advance(0);
  expect(await events()).toHaveLength(25);
  await clock.advance(300_000);
  for (let i = 0; i < 9; i++) recorder.event(makePod("web"), "Normal", `Later${i}`, "x");
  await clock.advance(0);
  expect(await events()).toHaveLength(26);
});

test("a server that is away is waited for, one that refuses is not", async () => {
  const { clock, api, recorder, events } = setup();
  let away = true;
  api.intercept = ({ verb, body }) => {
    if (verb !== "create") return;
    if ((body as { reason: string }).reason === "Refused") throw statusErrors.forbidden(coreEvents, "", "no");
    if (away) throw statusErrors.serviceUnavailable("away");
  };
  recorder.event(makePod("web"), "Normal", "Refused", "x");
  recorder.event(makePod("web"), "Normal", "Wanted", "x");
  await clock.advance(15_000);
  away = false;
  await clock.advance(20_000);
  expect((await events()).map((event) => event.reason)).toEqual(["Wanted"]);
});

test("events beyond the queue are dropped, and disposal leaves nothing running", async () => {
  const { clock, api } = setup();
  const recorder = createEventRecorder({ client: createClient(api), component: "test", clock, queueLimit: 5 });
  for (let i = 0; i < 100; i++) recorder.event(makePod(`p${i}`), "Normal", "Reason", "x");
  await clock.advance(0);
  expect(api.requests).toHaveLength(5);
  api.intercept = () => {
    throw statusErrors.serviceUnavailable("away");
  };
  recorder.event(makePod("q"), "Normal", "Reason", "x");
  await clock.advance(0);
  await recorder[Symbol.asyncDispose]();
  expect(clock.pending).toBe(0);
});
