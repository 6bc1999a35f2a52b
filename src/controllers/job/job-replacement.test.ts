import { expect, test } from "vitest";
import { type Job, jobs, type New, type Pod, pods } from "../../api/index.js";
import { timestamp } from "../../internal/clock.js";
import { readyStatus, Scenario } from "../../testing/controller-scenario.js";
import { jobController } from "./job.js";

const index = "batch.kubernetes.io/job-completion-index";
const failures = "batch.kubernetes.io/job-index-failure-count";
const ignored = "batch.kubernetes.io/job-index-ignored-failure-count";

/** A Job whose pods run until the test ends them. */
class Work extends Scenario {
  static async begin(spec: object, name = "work"): Promise<Work> {
    const work = new Work({ controllers: [jobController] });
    work.onPod = () => readyStatus(work.clock);
    await work.start();
    const template = { spec: { restartPolicy: "Never", containers: [{ name: "c", image: "i" }] } };
    const job = { apiVersion: "batch/v1", kind: "Job", metadata: { name, namespace: "default" } } as const;
    await work.create(jobs, { ...job, spec: { template, ...spec } } as New<Job>);
    await work.settle();
    return work;
  }

  async active(): Promise<readonly Pod[]> {
    const all = await this.list(pods);
    return all.filter(
      ({ metadata, status }) => metadata.deletionTimestamp === undefined && status?.phase === "Running",
    );
  }

  async indexes(): Promise<string> {
    return (await this.active())
      .map(({ metadata }) => metadata.annotations?.[index])
      .sort()
      .join();
  }

  async podOf(number: number): Promise<Pod> {
    const found = (await this.active()).find(({ metadata }) => metadata.annotations?.[index] === String(number));
    if (found === undefined) throw new Error(`no pod works on index ${number}`);
    return found;
  }

  /** The pod ends now. */
  async end({ metadata }: Pod, exitCode: number): Promise<void> {
    const state = { terminated: { exitCode, finishedAt: timestamp(this.clock) } };
    const containerStatuses = [{ name: "c", image: "i", imageID: "", ready: false, restartCount: 0, state }];
    const status = { phase: exitCode === 0 ? "Succeeded" : "Failed", conditions: [], containerStatuses };
    await this.client.patch(pods, metadata, { type: "merge", body: { status } }, { subresource: "status" });
    await this.settle();
  }

  async status(): Promise<NonNullable<Job["status"]>> {
    return (await this.list(jobs))[0]?.status ?? {};
  }

  async conditions(): Promise<readonly string[]> {
    return ((await this.status()).conditions ?? []).map(({ type, reason }) => `${type} ${reason}`);
  }
}

const indexed = (count: number): object => ({ completions: count, parallelism: count, completionMode: "Indexed" });

test("who is stopped because the Job has succeeded did not fail", async () => {
  const successPolicy = { rules: [{ succeededIndexes: "1" }] };
  const work = await Work.begin({ ...indexed(3), successPolicy });
  await work.end(await work.podOf(1), 0);
  expect(await work.status()).toMatchObject({ succeeded: 1, completedIndexes: "1", terminating: 0 });
  expect(await work.status()).not.toHaveProperty("failed");
  expect(await work.conditions()).toEqual(["SuccessCriteriaMet SuccessPolicy", "Complete SuccessPolicy"]);
  expect(work.problems).toEqual([]);
});

test("a pod that its node is still stopping holds the last condition up", async () => {
  const successPolicy = { rules: [{ succeededCount: 1 }] };
  const work = await Work.begin({ ...indexed(2), successPolicy });
  const slow = await work.podOf(0);
  await work.client.patch(pods, slow.metadata, { type: "merge", body: { metadata: { finalizers: ["a.example/b"] } } });
  await work.end(await work.podOf(1), 0);
  expect(await work.status()).toMatchObject({ succeeded: 1, terminating: 1 });
  expect(await work.status()).not.toHaveProperty("failed");
  expect(await work.conditions()).toEqual(["SuccessCriteriaMet SuccessPolicy"]);
  await work.client.patch(pods, slow.metadata, { type: "merge", body: { metadata: { finalizers: [] } } });
  await work.settle();
  expect(await work.conditions()).toEqual(["SuccessCriteriaMet SuccessPolicy", "Complete SuccessPolicy"]);
});

test("an indexed Job shrinks from the top, whoever is the youngest", async () => {
  const work = await Work.begin(indexed(3));
  await work.end(await work.podOf(0), 1);
  await work.advance(11_000);
  expect(await work.indexes()).toBe("0,1,2");
  await work.change(jobs, "work", { spec: { completions: 2, parallelism: 2 } });
  await work.settle();
  expect(await work.indexes()).toBe("0,1");
  await work.end(await work.podOf(0), 0);
  await work.change(jobs, "work", { spec: { completions: 1, parallelism: 1 } });
  await work.settle();
  expect(await work.status()).toMatchObject({ succeeded: 1, failed: 1, completedIndexes: "0" });
  expect(await work.conditions()).toEqual(["SuccessCriteriaMet CompletionsReached", "Complete CompletionsReached"]);
});

test("an index that succeeded and was cut off is done again when it comes back", async () => {
  const work = await Work.begin(indexed(3));
  await work.end(await work.podOf(2), 0);
  await work.change(jobs, "work", { spec: { completions: 2, parallelism: 2 } });
  await work.settle();
  expect(await work.status()).not.toHaveProperty("completedIndexes");
  await work.change(jobs, "work", { spec: { completions: 3, parallelism: 3 } });
  await work.settle();
  expect(await work.indexes()).toBe("0,1,2");
});

test("two pods of one index are one too many", async () => {
  const work = await Work.begin({ ...indexed(2), backoffLimit: 0 });
  const { metadata, spec } = await work.podOf(1);
  const twin = { ...metadata, name: "twin", resourceVersion: undefined, uid: undefined, generateName: undefined };
  await work.create(pods, { apiVersion: "v1", kind: "Pod", metadata: twin, spec } as unknown as New<Pod>);
  await work.settle();
  expect(await work.indexes()).toBe("0,1");
  expect(await work.status()).not.toHaveProperty("failed");
});

test("each index waits for itself after failures, and hands their number on", async () => {
  const work = await Work.begin({ ...indexed(2), backoffLimitPerIndex: 2 });
  const first = await work.podOf(0);
  await work.end(first, 1);
  // Held back, with what it knows, until another pod has taken over.
  await work.delete(pods, first.metadata.name);
  await work.advance(9_000);
  expect(await work.indexes()).toBe("1");
  expect(await work.list(pods)).toHaveLength(2);
  await work.end(await work.podOf(1), 1);
  await work.advance(2_000);
  expect(await work.indexes()).toBe("0");
  expect((await work.podOf(0)).metadata.annotations?.[failures]).toBe("1");
  expect((await work.list(pods)).map(({ metadata }) => metadata.name)).not.toContain(first.metadata.name);
  await work.advance(8_000);
  expect(await work.indexes()).toBe("0,1");
  await work.end(await work.podOf(0), 1);
  await work.advance(19_000);
  expect(await work.indexes()).toBe("1");
  await work.advance(2_000);
  expect((await work.podOf(0)).metadata.annotations?.[failures]).toBe("2");
  await work.end(await work.podOf(0), 1);
  expect(await work.status()).toMatchObject({ failed: 4, failedIndexes: "0" });
});

test("ignored failures do not use an index up, but make it wait", async () => {
  const rules = [{ action: "Ignore", onExitCodes: { operator: "In", values: [42] } }];
  const work = await Work.begin({ ...indexed(1), backoffLimitPerIndex: 0, podFailurePolicy: { rules } });
  await work.end(await work.podOf(0), 42);
  await work.advance(11_000);
  const { annotations } = (await work.podOf(0)).metadata;
  expect([annotations?.[failures], annotations?.[ignored]]).toEqual(["0", "1"]);
  await work.end(await work.podOf(0), 42);
  await work.advance(18_000);
  expect(await work.indexes()).toBe("");
  await work.advance(3_000);
  expect((await work.podOf(0)).metadata.annotations?.[ignored]).toBe("2");
  expect(await work.status()).toMatchObject({ failedIndexes: "" });
});

test("a success begins the count of failures anew", async () => {
  const work = await Work.begin({ completions: 5, parallelism: 2 });
  const [first] = await work.active();
  await work.end(first as Pod, 1);
  await work.advance(11_000);
  await work.end((await work.active())[0] as Pod, 1);
  await work.advance(21_000);
  expect(await work.active()).toHaveLength(2);
  await work.end((await work.active())[0] as Pod, 0);
  await work.advance(1_000);
  await work.end((await work.active())[0] as Pod, 1);
  await work.advance(11_000);
  expect(await work.active()).toHaveLength(2);
});

test("an index whose pod is on its way out waits, where only failed pods are replaced", async () => {
  const work = await Work.begin({ ...indexed(2), parallelism: 2, podReplacementPolicy: "Failed" });
  const leaving = await work.podOf(0);
  work.kubelet = false;
  await work.delete(pods, leaving.metadata.name, { gracePeriodSeconds: 30 });
  await work.settle();
  expect(await work.status()).toMatchObject({ active: 1, terminating: 1 });
  expect(await work.list(pods)).toHaveLength(2);
  work.kubelet = true;
  await work.end(leaving, 143);
  await work.advance(11_000);
  expect(await work.indexes()).toBe("0,1");
  expect(await work.status()).toMatchObject({ active: 2, failed: 1, terminating: 0 });
});

test("the index stays in the name of a pod whose Job has a long one", async () => {
  const work = await Work.begin(indexed(1), "a".repeat(61));
  expect((await work.podOf(0)).metadata.name).toMatch(/^a{55}-0-.{5}$/);
});
