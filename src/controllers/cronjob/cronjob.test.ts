import { Cron } from "croner";
import { expect, test } from "vitest";
import { type CronJob, cronJobs, jobs, type New } from "../../api/index.js";
import { seededRandom } from "../../internal/random.js";
import { Scenario } from "../../testing/controller-scenario.js";
import { cronJobController } from "./cronjob.js";
import { inZone, mostRecent, parseSchedule } from "./schedule.js";

const template = { spec: { template: { spec: { restartPolicy: "Never", containers: [{ name: "c", image: "i" }] } } } };

function makeCronJob(spec: object = {}): New<CronJob> {
  return {
    apiVersion: "batch/v1",
    kind: "CronJob",
    metadata: { name: "tick", namespace: "default" },
    spec: { schedule: "*/5 * * * *", jobTemplate: template, ...spec },
  };
}

async function begin(spec: object = {}): Promise<Scenario> {
  const scenario = new Scenario({ controllers: [cronJobController] });
  await scenario.start();
  await scenario.create(cronJobs, makeCronJob(spec));
  await scenario.settle();
  return scenario;
}

async function finish(scenario: Scenario, name: string, type: "Complete" | "Failed" = "Complete"): Promise<void> {
  const now = new Date(scenario.clock.now()).toISOString().replace(/\.\d+/, "");
  const target = type === "Complete" ? "SuccessCriteriaMet" : "FailureTarget";
  const at = { status: "True", lastProbeTime: now, lastTransitionTime: now };
  const status = {
    startTime: now,
    ...(type === "Complete" ? { completionTime: now, succeeded: 1 } : {}),
    conditions: [
      { type: target, ...at },
      { type, ...at },
    ],
    uncountedTerminatedPods: {},
    ready: 0,
    terminating: 0,
  };
  await scenario.change(jobs, name, { status }, "status");
  await scenario.settle();
}

const minutes = (count: number) => count * 60_000;
const names = async (scenario: Scenario) => (await scenario.list(jobs)).map(({ metadata }) => metadata.name);

test("makes a job when it is due, named after the minute, and follows it", async () => {
  const scenario = await begin();
  await scenario.advance(minutes(4), 30_000);
  expect(await names(scenario)).toEqual([]);
  await scenario.advance(minutes(1) + 1000);
  const due = Date.UTC(2026, 0, 1, 0, 5);
  const name = `tick-${due / 60_000}`;
  expect(await names(scenario)).toEqual([name]);
  const [job] = await scenario.list(jobs);
  expect(job?.metadata.annotations).toMatchObject({
    "batch.kubernetes.io/cronjob-scheduled-timestamp": "2026-01-01T00:05:00Z",
  });
  expect((await scenario.get(cronJobs, "tick"))?.status).toMatchObject({
    lastScheduleTime: "2026-01-01T00:05:00Z",
    active: [{ name }],
  });
  await finish(scenario, name);
  const status = (await scenario.get(cronJobs, "tick"))?.status;
  expect([status?.active, status?.lastSuccessfulTime]).toEqual([undefined, "2026-01-01T00:05:01Z"]);
  expect(await scenario.eventsOf("tick")).toEqual([
    `SuccessfulCreate: Created job ${name}`,
    `SawCompletedJob: Saw completed job: ${name}, condition: Complete`,
  ]);
  expect(scenario.problems).toEqual([]);
});

test("a restart at any write makes no job twice", async () => {
  for (let at = 1; at <= 4; at++) {
    const scenario = await begin();
    let writes = 0;
    scenario.api.intercept = ({ verb, resource }) => {
      if (resource !== "events" && verb !== "list" && verb !== "get" && ++writes === at) void scenario.stop();
    };
    await scenario.advance(minutes(5) + 1000, 10_000);
    await scenario.restart();
    await scenario.advance(minutes(1));
    expect([at, await scenario.list(jobs)]).toMatchObject([at, [{}]]);
    expect((await scenario.get(cronJobs, "tick"))?.status?.active).toHaveLength(1);
    await scenario.stop();
  }
});

test.each([
  ["Allow", 3],
  ["Forbid", 1],
  ["Replace", 1],
])("with %s so many run beside one another", async (concurrencyPolicy, running) => {
  const scenario = await begin({ concurrencyPolicy });
  await scenario.advance(minutes(16), 30_000);
  expect(await names(scenario)).toHaveLength(running);
});

test("keeps as much history as it is told", async () => {
  const scenario = await begin({ successfulJobsHistoryLimit: 2, failedJobsHistoryLimit: 1 });
  for (let round = 0; round < 6; round++) {
    await scenario.advance(round === 0 ? minutes(5) + 1000 : minutes(5), 60_000);
    await finish(scenario, (await names(scenario)).at(-1) ?? "", round % 2 === 0 ? "Complete" : "Failed");
  }
  expect(await names(scenario)).toHaveLength(3);
});

test("what was missed while away is made up for once, within the deadline", async () => {
  const late = await begin();
  await late.stop();
  await late.clock.advance(minutes(62));
  await late.start();
  expect(await names(late)).toHaveLength(1);
  const strict = await begin({ startingDeadlineSeconds: 60 });
  await strict.stop();
  await strict.clock.advance(minutes(62));
  await strict.start();
  expect(await names(strict)).toHaveLength(0);
});

test("a suspended one does nothing", async () => {
  const scenario = await begin({ suspend: true });
  await scenario.advance(minutes(20), 60_000);
  expect(await names(scenario)).toEqual([]);
});

test("schedules agree with another implementation, in zones with and without summer time", () => {
  const seed = 20260101;
  const random = seededRandom(seed);
  const pick = <T>(all: readonly T[]): T => all[Math.floor(random.next() * all.length)] as T;
  for (let round = 0; round < 300; round++) {
    const fields = [
      pick(["*", "*/7", "0", "15,45", "10-20/3", "5-59/20"]),
      pick(["*", "0", "*/6", "9-17", "4,5", "12"]),
      pick(["*", "1", "15", "31", "*/9"]),
      pick(["*", "jan", "2", "jun-aug", "*/5"]),
      pick(["*", "mon-fri", "0", "3,sat"]),
    ];
    // Where both fields of days are steps of a star the other library means something else.
    if (fields[2] === "*/9" && fields[4] !== "*") continue;
    const text = fields.join(" ");
    const timeZone = pick(["UTC", "Asia/Tokyo", "Asia/Kolkata"]);
    const from =
      Date.UTC(2026, 0, 1) + Math.floor(random.next() * 365) * 86_400_000 + Math.floor(random.next() * 86_400_000);
    const expected = new Cron(text, { timezone: timeZone, paused: true }).nextRun(new Date(from))?.getTime();
    expect([seed, text, timeZone, parseSchedule(text, timeZone).next(from)]).toEqual([seed, text, timeZone, expected]);
  }
});

test.each([
  ["an hour that is skipped", "30 2 * * *", "2026-03-28T12:00:00Z", "2026-03-30T00:30:00.000Z"],
  ["the day before", "30 1 * * *", "2026-03-28T12:00:00Z", "2026-03-29T00:30:00.000Z"],
  ["summer", "0 12 * * *", "2026-07-01T00:00:00Z", "2026-07-01T10:00:00.000Z"],
])("summer time in Berlin: %s", (_, text, from, next) => {
  expect(new Date(parseSchedule(text, "Europe/Berlin").next(Date.parse(from)) ?? 0).toISOString()).toBe(next);
});

test.each([
  ["@every 1h30m", 5_400_000],
  ["@hourly", 3_600_000],
  ["@daily", 86_400_000],
])("%s", (text, after) => {
  expect(parseSchedule(text).next(0)).toBe(after);
});

test.each([
  "* * * *",
  "60 * * * *",
  "* * * * 7",
  "*/0 * * * *",
  "5-1 * * * *",
  "x * * * *",
  "@sometimes",
  "@every x",
  "1/2/3 * * * *",
])("refuses %s", (text) => {
  expect(() => parseSchedule(text)).toThrow();
});

test("the most recent of very many is found quickly", () => {
  const now = Date.UTC(2026, 5, 1, 12, 34, 56);
  const found = mostRecent(parseSchedule("* * * * *"), 0, now);
  expect(found).toEqual({ at: Date.UTC(2026, 5, 1, 12, 34), missedTooMany: true, missed: 101 });
});

test.each([
  ["UTC", "2026-07-01T00:00:00Z"],
  ["America/New_York", "2026-06-30T20:00:00-04:00"],
  ["Asia/Kolkata", "2026-07-01T05:30:00+05:30"],
])("says when it was due by the clocks of %s", (timeZone, text) => {
  expect(inZone(Date.UTC(2026, 6, 1), timeZone)).toBe(text);
});
