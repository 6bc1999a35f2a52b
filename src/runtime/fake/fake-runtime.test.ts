import { expect, test } from "vitest";
import { VirtualClock } from "../../internal/virtual-clock.js";
import { describeRuntime } from "../../testing/runtime-contract.js";
import { FakeRuntime } from "./fake-runtime.js";

describeRuntime({
  name: "FakeRuntime",
  async setup() {
    const clock = new VirtualClock();
    const runtime = new FakeRuntime({
      clock,
      script: ({ config: { command } }) => ({
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

test("a command that takes too long is cut off", async () => {
  const clock = new VirtualClock();
  const runtime = new FakeRuntime({ clock, script: () => ({ exec: () => new Promise(() => {}) }) });
  const namespaces = { network: "pod", pid: "container", ipc: "pod" } as const;
  const sandbox = {
    metadata: { name: "p", namespace: "d", uid: "u", attempt: 0 },
    hostname: "p",
    portMappings: [],
    labels: {},
    annotations: {},
    security: { namespaces },
  };
  const sandboxId = await runtime.runPodSandbox(sandbox);
  const config = {
    metadata: { name: "c", attempt: 0 },
    image: "i",
    command: [],
    args: [],
    env: [],
    mounts: [],
    labels: {},
    annotations: {},
    security: { namespaces },
  };
  const id = await runtime.createContainer(sandboxId, config);
  await runtime.startContainer(id);
  const running = runtime.execSync(id, ["sleep"], 2);
  const outcome = expect(running).rejects.toMatchObject({ code: "deadline-exceeded" });
  await clock.advance(2000);
  await outcome;
});
