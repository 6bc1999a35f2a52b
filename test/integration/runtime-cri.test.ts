import { join } from "node:path";
import { CriRuntime } from "../../src/runtime/cri/index.js";
import { describeRuntime } from "../../src/testing/runtime-contract.js";
import { startTestHost } from "./support/real-host.js";

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describeRuntime({
  name: "CriRuntime on containerd",
  async setup() {
    const test = await startTestHost(["contract"]);
    const runtime = new CriRuntime({ socket: test.node.criSocket });
    return {
      runtime,
      image: "busybox:1",
      logRoot: join(test.folder, "logs"),
      programs: {
        forever: { command: ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.05; done"], args: [] },
        stubborn: { command: ["sh", "-c", "trap '' TERM; while :; do sleep 0.05; done"], args: [] },
        exits: (code) => ({ command: ["sh", "-c", `echo out; exit ${code}`], args: [] }),
      },
      talk: ["sh", "-c", "echo hello; echo oops >&2; exit 3"],
      cat: ["cat"],
      settle: () => pause(10),
      async dispose() {
        await runtime[Symbol.asyncDispose]();
        await test[Symbol.asyncDispose]();
      },
    };
  },
  skip: {
    "a command's streams carry input and output":
      "containerd serves streams at a URL; real-host.test.ts goes through it",
  },
});
