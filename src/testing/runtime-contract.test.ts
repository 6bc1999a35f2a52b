import { expect, test } from "vitest";
import { VirtualClock } from "../internal/virtual-clock.js";
import { FakeRuntime } from "../runtime/index.js";
import { type RuntimeSubject, runtimeChecks } from "./runtime-contract.js";

const clock = new VirtualClock();

function subjectOf(runtime: FakeRuntime): RuntimeSubject {
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
}

const options = {
  clock,
  script: ({ config: { command } }: { readonly config: { readonly command: readonly string[] } }) => ({
    log: ["out"],
    ...(command[0] === "exit" ? { exitAfterMs: 10, exitCode: Number(command[1]) } : {}),
    ...(command[0] === "stubborn" ? { stopAfterMs: 1_000_000 } : {}),
    exec: ([what]: readonly string[], stdin: string) =>
      what === "cat" ? { exitCode: 0, stdout: stdin } : { exitCode: 3, stdout: "hello\n", stderr: "oops\n" },
  }),
};

async function failures(runtime: FakeRuntime): Promise<string[]> {
  const { checks, bind } = runtimeChecks();
  bind(subjectOf(runtime));
  const failed: string[] = [];
  for (const { title, run } of checks) await run().catch(() => failed.push(title));
  return failed;
}

class NeverStops extends FakeRuntime {
  override async stopContainer(): Promise<void> {}
}
class ForgetsStderr extends FakeRuntime {
  override async execSync(...given: Parameters<FakeRuntime["execSync"]>): ReturnType<FakeRuntime["execSync"]> {
    return { ...(await super.execSync(...given)), stderr: new Uint8Array() };
  }
}
class SameAddress extends FakeRuntime {
  override async podSandboxStatus(id: string): ReturnType<FakeRuntime["podSandboxStatus"]> {
    return { ...(await super.podSandboxStatus(id)), ips: ["10.0.0.1"] };
  }
}
class IgnoresLabels extends FakeRuntime {
  override async listPodSandboxes(): ReturnType<FakeRuntime["listPodSandboxes"]> {
    return super.listPodSandboxes();
  }
}
class LosesSandboxes extends FakeRuntime {
  override async removePodSandbox(): Promise<void> {}
}

class ForgetsTheRest extends FakeRuntime {
  readonly #told = new Map<string, object>();
  override async updateContainerResources(id: string, resources: object): Promise<void> {
    await super.updateContainerResources(id, resources);
    this.#told.set(id, resources);
  }
  override async containerStatus(id: string): ReturnType<FakeRuntime["containerStatus"]> {
    return { ...(await super.containerStatus(id)), resources: this.#told.get(id) };
  }
}

test("a sound runtime passes", async () => {
  expect(await failures(new FakeRuntime(options))).toEqual([]);
});

test.each([
  ["never stops", NeverStops, "stopping ends a container that heeds the signal"],
  ["forgets stderr", ForgetsStderr, "commands run in a running container only"],
  ["gives one address to all", SameAddress, "sandboxes have addresses of their own"],
  ["ignores labels", IgnoresLabels, "sandboxes are found by label and state, with their annotations"],
  ["drops limits that an update leaves out", ForgetsTheRest, "what a container is held to changes while it runs"],
  ["keeps what is removed", LosesSandboxes, "a container goes from created over running to exited"],
])("a runtime that %s does not", async (_name, Broken, title) => {
  expect(await failures(new Broken(options))).toContain(title);
});
