import { startControlPlane } from "coxswain";
import { jobs } from "coxswain/api";
import { createNodeAgent } from "coxswain/node";
import { describeRuntime, VirtualClock } from "coxswain/testing";
import { expect, test } from "vitest";
import { CountingRuntime } from "./counting-runtime.js";

describeRuntime({
  name: "CountingRuntime",
  async setup() {
    const clock = new VirtualClock();
    const runtime = new CountingRuntime({
      clock,
      script: ({ config: { command = [] } }) => ({
        log: ["out"],
        ...(command[0] === "exit" ? { exitAfterMs: 10, exitCode: Number(command[1]) } : {}),
        ...(command[0] === "stubborn" ? { stopAfterMs: 1_000_000 } : {}),
        exec: ([what], stdin) =>
          what === "cat" ? { exitCode: 0, stdout: stdin } : { exitCode: 3, stdout: "hello\n", stderr: "oops\n" },
      }),
    });
    return {
      runtime,
      image: "any:1",
      programs: {
        forever: { command: ["forever"], args: [] },
        stubborn: { command: ["stubborn"], args: [] },
        exits: (code) => ({ command: ["exit", String(code)], args: [] }),
      },
      talk: ["talk"],
      cat: ["cat"],
      settle: () => clock.advance(100),
      dispose: () => runtime[Symbol.asyncDispose](),
    };
  },
});

test("a node agent drives it", async () => {
  const clock = new VirtualClock();
  const runtime = new CountingRuntime({ clock, script: () => ({ exitAfterMs: 1000, exitCode: 0 }) });
  await using cp = await startControlPlane({ clock, controllers: ["job"], scheduler: {} });
  const stop = new AbortController();
  const agent = createNodeAgent({ client: cp.client, runtime, nodeName: "node-a", clock });
  const running = agent.run({ signal: stop.signal, ready: () => {} });
  const template = { spec: { restartPolicy: "Never", containers: [{ name: "work", image: "work:1" }] } };
  await cp.client.create(jobs, {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: { name: "work", namespace: "default" },
    spec: { completions: 3, parallelism: 1, template },
  });
  for (let second = 0; second < 60; second++) {
    await cp.settled();
    await clock.advance(1000);
  }
  expect(runtime.starts).toEqual(new Map([["work:1", 3]]));
  expect((await cp.client.get(jobs, { namespace: "default", name: "work" })).status?.succeeded).toBe(3);
  stop.abort();
  await running;
});
