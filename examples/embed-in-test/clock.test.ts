import { startControlPlane } from "coxswain";
import { cronJobs, jobs } from "coxswain/api";
import { VirtualClock } from "coxswain/testing";
import { expect, test } from "vitest";

test("a CronJob works through a day while nobody waits", async () => {
  const clock = new VirtualClock(Date.parse("2026-01-01T00:00:00Z"));
  await using cp = await startControlPlane({ controllers: ["cronjob"], clock });
  const template = { spec: { restartPolicy: "Never", containers: [{ name: "report", image: "report:1" }] } };
  await cp.client.create(cronJobs, {
    apiVersion: "batch/v1",
    kind: "CronJob",
    metadata: { name: "report", namespace: "default" },
    spec: { schedule: "30 * * * *", concurrencyPolicy: "Allow", jobTemplate: { spec: { template } } },
  });
  for (let hour = 0; hour < 24; hour++) {
    await cp.settled();
    await clock.advance(3_600_000);
  }
  await cp.settled();
  expect((await cp.client.list(jobs)).items).toHaveLength(24);
});
