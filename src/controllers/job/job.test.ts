import { expect, test } from "vitest";
import { type Job, jobs, type New, type Pod, pods } from "../../api/index.js";
import { readyStatus, Scenario } from "../../testing/controller-scenario.js";
import { formatIndexes, parseIndexes } from "./indexes.js";
import { jobController, ttlAfterFinishedController } from "./job.js";

function makeJob(spec: object = {}): New<Job> {
  const template = { spec: { restartPolicy: "Never", containers: [{ name: "c", image: "i" }] } };
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: { name: "work", namespace: "default" },
    spec: { template, ...spec },
  };
}

const ended = (code: number): NonNullable<Pod["status"]> => ({
  phase: code === 0 ? "Succeeded" : "Failed",
  containerStatuses: [
    { name: "c", image: "i", imageID: "", ready: false, restartCount: 0, state: { terminated: { exitCode: code } } },
  ],
});

async function begin(spec: object, onPod?: (scenario: Scenario, pod: Pod) => Pod["status"]): Promise<Scenario> {
  const scenario = new Scenario({ controllers: [jobController, ttlAfterFinishedController] });
  scenario.onPod = (pod) => (onPod === undefined ? ended(0) : onPod(scenario, pod));
  await scenario.start();
  await scenario.create(jobs, makeJob(spec));
  await scenario.settle();
  return scenario;
}

const conditionsOf = async (scenario: Scenario) =>
  ((await scenario.get(jobs, "work"))?.status?.conditions ?? []).map(
    ({ type, status, reason }) => `${type}=${status} ${reason}`,
  );

test("runs to completion, counts every pod once and lets them go", async () => {
  const scenario = await begin({ completions: 7, parallelism: 3 });
  const job = await scenario.get(jobs, "work");
  expect(job?.status).toMatchObject({ succeeded: 7, ready: 0, terminating: 0, uncountedTerminatedPods: {} });
  expect(job?.status?.completionTime).toBeDefined();
  expect(await conditionsOf(scenario)).toEqual([
    "SuccessCriteriaMet=True CompletionsReached",
    "Complete=True CompletionsReached",
  ]);
  const all = await scenario.list(pods);
  expect(all).toHaveLength(7);
  expect(all.flatMap(({ metadata }) => metadata.finalizers ?? [])).toEqual([]);
  expect(await scenario.eventsOf("work")).toContain("Completed: Job completed");
  expect(scenario.problems).toEqual([]);
});

test("counts right when it is stopped at any write", async () => {
  for (let at = 1; at <= 20; at++) {
    const scenario = new Scenario({ controllers: [jobController] });
    scenario.onPod = () => ended(0);
    await scenario.start();
    let writes = 0;
    scenario.api.intercept = ({ verb, resource }) => {
      if (resource !== "events" && verb !== "list" && verb !== "get" && ++writes === at) void scenario.stop();
    };
    await scenario.create(jobs, makeJob({ completions: 5, parallelism: 2 }));
    await scenario.settle();
    await scenario.restart();
    await scenario.advance(20_000, 5000);
    expect([at, (await scenario.get(jobs, "work"))?.status?.succeeded]).toEqual([at, 5]);
    expect([at, (await scenario.list(pods)).length]).toEqual([at, 5]);
    expect(await conditionsOf(scenario)).toContain("Complete=True CompletionsReached");
    await scenario.stop();
  }
});

test("failures wait ever longer, and past the limit the job has failed", async () => {
  const scenario = await begin({ backoffLimit: 2 }, () => ended(1));
  expect(await scenario.list(pods)).toHaveLength(1);
  await scenario.advance(9_000);
  expect(await scenario.list(pods)).toHaveLength(1);
  await scenario.advance(2_000);
  expect(await scenario.list(pods)).toHaveLength(2);
  await scenario.advance(30_000);
  expect(await scenario.list(pods)).toHaveLength(3);
  expect(await conditionsOf(scenario)).toEqual([
    "FailureTarget=True BackoffLimitExceeded",
    "Failed=True BackoffLimitExceeded",
  ]);
  expect((await scenario.get(jobs, "work"))?.status?.failed).toBe(3);
  expect(await scenario.eventsOf("work")).toContain(
    "BackoffLimitExceeded: Job has reached the specified backoff limit",
  );
});

test("an indexed job gives each index a pod, its name and its number", async () => {
  const scenario = await begin({ completions: 4, parallelism: 4, completionMode: "Indexed" });
  expect((await scenario.get(jobs, "work"))?.status).toMatchObject({ succeeded: 4, completedIndexes: "0-3" });
  const [first] = await scenario.list(pods);
  expect(first?.metadata.name).toMatch(/^work-0-.{5}$/);
  expect(first?.metadata.labels).toMatchObject({ "batch.kubernetes.io/job-completion-index": "0" });
  expect(first?.spec?.hostname).toBe("work-0");
  expect(first?.spec?.containers[0]?.env).toMatchObject([
    {
      name: "JOB_COMPLETION_INDEX",
      valueFrom: { fieldRef: { fieldPath: "metadata.labels['batch.kubernetes.io/job-completion-index']" } },
    },
  ]);
});

test("with a limit for each index others go on when one has failed", async () => {
  const spec = { completions: 3, parallelism: 3, completionMode: "Indexed", backoffLimitPerIndex: 1 };
  const scenario = await begin(spec, (_, pod) => ended(pod.spec?.hostname === "work-1" ? 1 : 0));
  await scenario.advance(30_000);
  expect((await scenario.get(jobs, "work"))?.status).toMatchObject({
    completedIndexes: "0,2",
    failedIndexes: "1",
    failed: 2,
    succeeded: 2,
  });
  expect(await conditionsOf(scenario)).toEqual(["FailureTarget=True FailedIndexes", "Failed=True FailedIndexes"]);
});

test("a failure policy ends the job at once, or ignores the failure", async () => {
  const rule = (action: string) => ({ action, onExitCodes: { operator: "In", values: [42] } });
  const failing = await begin({ podFailurePolicy: { rules: [rule("FailJob")] } }, () => ended(42));
  expect(await conditionsOf(failing)).toContain("Failed=True PodFailurePolicy");
  const message = (await failing.get(jobs, "work"))?.status?.conditions?.[0]?.message;
  expect(message).toMatch(
    /^Container c for pod default\/work-.{5} failed with exit code 42 matching FailJob rule at index 0$/,
  );
  let made = 0;
  const ignoring = await begin({ backoffLimit: 0, podFailurePolicy: { rules: [rule("Ignore")] } }, () =>
    ended(++made < 3 ? 42 : 0),
  );
  await ignoring.advance(60_000);
  expect(await conditionsOf(ignoring)).toContain("Complete=True CompletionsReached");
  expect((await ignoring.get(jobs, "work"))?.status?.failed).toBeUndefined();
});

test("a success policy ends the job when its rule is met, and stops the others", async () => {
  const successPolicy = { rules: [{ succeededIndexes: "0" }] };
  const spec = { completions: 3, parallelism: 3, completionMode: "Indexed", successPolicy };
  const scenario = await begin(spec, (one, pod) =>
    pod.spec?.hostname === "work-0" ? ended(0) : readyStatus(one.clock),
  );
  await scenario.advance(2000);
  expect(await conditionsOf(scenario)).toEqual([
    "SuccessCriteriaMet=True SuccessPolicy",
    "Complete=True SuccessPolicy",
  ]);
  expect((await scenario.get(jobs, "work"))?.status).toMatchObject({ completedIndexes: "0", terminating: 0 });
});

test("suspending ends its pods without counting them, resuming begins anew", async () => {
  const scenario = await begin({ parallelism: 2, completions: 2, backoffLimit: 0 }, (one) => readyStatus(one.clock));
  expect(await scenario.list(pods)).toHaveLength(2);
  await scenario.change(jobs, "work", { spec: { suspend: true } });
  await scenario.settle();
  expect(await scenario.list(pods)).toHaveLength(0);
  const suspended = await scenario.get(jobs, "work");
  expect(await conditionsOf(scenario)).toEqual(["Suspended=True JobSuspended"]);
  expect([suspended?.status?.failed, suspended?.status?.startTime]).toEqual([undefined, undefined]);
  scenario.onPod = () => ended(0);
  await scenario.change(jobs, "work", { spec: { suspend: false } });
  await scenario.settle();
  expect(await conditionsOf(scenario)).toContain("Complete=True CompletionsReached");
});

test("what others write into the status meanwhile stays there", async () => {
  const scenario = await begin({ parallelism: 1 }, (one) => readyStatus(one.clock));
  const custom = { type: "Custom", status: "True", lastTransitionTime: "2026-01-01T00:00:00Z" };
  let raced = false;
  scenario.api.intercept = async ({ verb, resource, subresource }) => {
    if (raced || verb !== "update" || resource !== "jobs" || subresource !== "status") return;
    raced = true;
    await scenario.change(jobs, "work", { status: { conditions: [custom] } }, "status");
  };
  const [pod] = await scenario.list(pods);
  const conditions = [{ type: "Ready", status: "False", lastTransitionTime: "2026-01-01T00:00:00Z" }];
  await scenario.change(pods, pod?.metadata.name ?? "", { status: { conditions } }, "status");
  await scenario.advance(2000);
  expect((await scenario.get(jobs, "work"))?.status).toMatchObject({ active: 1, ready: 0, conditions: [custom] });
  expect(scenario.problems).toEqual([]);
});

test("a deadline ends the job and its pods; a finished job goes after its time to live", async () => {
  const scenario = await begin({ activeDeadlineSeconds: 30, ttlSecondsAfterFinished: 60 }, (one) =>
    readyStatus(one.clock),
  );
  await scenario.advance(29_000);
  expect(await conditionsOf(scenario)).toEqual([]);
  await scenario.advance(3_000);
  expect(await conditionsOf(scenario)).toEqual(["FailureTarget=True DeadlineExceeded", "Failed=True DeadlineExceeded"]);
  expect(await scenario.list(pods)).toEqual([]);
  await scenario.advance(57_000);
  expect(await scenario.get(jobs, "work")).toBeDefined();
  await scenario.advance(5_000);
  expect((await scenario.get(jobs, "work"))?.metadata.deletionTimestamp).toBeDefined();
});

test("pods that a deleted job has left are let go", async () => {
  const scenario = await begin({ parallelism: 2, completions: 2 }, (one) => readyStatus(one.clock));
  expect((await scenario.list(pods)).map(({ metadata }) => metadata.finalizers)).toEqual([
    ["batch.kubernetes.io/job-tracking"],
    ["batch.kubernetes.io/job-tracking"],
  ]);
  await scenario.delete(jobs, "work");
  await scenario.settle();
  expect((await scenario.list(pods)).flatMap(({ metadata }) => metadata.finalizers ?? [])).toEqual([]);
  expect(scenario.problems).toEqual([]);
});

test.each([
  ["", []],
  ["3", [3]],
  ["1,3-5,7,8", [1, 3, 4, 5, 7, 8]],
])("indexes as text: %s", (text, indexes) => {
  expect([...parseIndexes(text, 10)]).toEqual(indexes);
  expect(formatIndexes(indexes)).toBe(text);
});
