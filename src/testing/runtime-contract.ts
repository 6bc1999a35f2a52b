import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type {
  ContainerConfig,
  ContainerStatus,
  LocalProcessStream,
  PodSandboxConfig,
  ProcessStream,
  Runtime,
} from "../runtime/index.js";
import { isRuntimeError, parseLogLine } from "../runtime/index.js";

type Program = Pick<ContainerConfig, "command" | "args">;

/** What a runtime under test brings: itself, and programs that it can run. */
export interface RuntimeSubject {
  readonly runtime: Runtime;
  /** A reference that can be pulled. */
  readonly image: string;
  /** Under it each sandbox has its logs; undefined: the runtime has `readLog`. */
  readonly logRoot?: string | undefined;
  readonly programs: {
    /** Runs until it is stopped, and ends at once on SIGTERM. */
    readonly forever: Program;
    /** Does not end on SIGTERM. */
    readonly stubborn: Program;
    /** Prints `out` to stdout, and ends with this code. */
    exits(code: number): Program;
  };
  /** A command that prints `hello` to stdout, `oops` to stderr and ends with 3. */
  readonly talk: readonly string[];
  /** A command that prints what it is given as input. */
  readonly cat: readonly string[];
  /** Lets time pass, and what is under way get on. */
  settle(): Promise<void>;
  dispose(): Promise<void>;
}

export interface RuntimeContractOptions {
  readonly name: string;
  setup(): Promise<RuntimeSubject>;
  /** Tests that do not apply, by name, with the reason. */
  readonly skip?: Readonly<Record<string, string>> | undefined;
}

/** The behaviour that every Runtime has. */
export function describeRuntime({ name, setup, skip = {} }: RuntimeContractOptions): void {
  describe(`${name} as a Runtime`, () => {
    const { bind, checks } = runtimeChecks();
    let subject: RuntimeSubject;
    beforeAll(async () => {
      subject = await setup();
      bind(subject);
    });
    afterAll(async () => {
      await subject?.dispose();
    });
    for (const { title, run } of checks) {
      const reason = Object.hasOwn(skip, title) ? skip[title] : undefined;
      test.skipIf(reason !== undefined)(reason === undefined ? title : `${title} (${reason})`, run);
    }
  });
}

export interface RuntimeCheck {
  readonly title: string;
  run(): Promise<void>;
}

/** The contract, check by check, for those that run it otherwise. `bind` says on what. */
export function runtimeChecks(): { readonly checks: readonly RuntimeCheck[]; bind(subject: RuntimeSubject): void } {
  const checks: RuntimeCheck[] = [];
  let subject: RuntimeSubject;
  let runtime: Runtime;
  let serial = 0;
  const check = (title: string, run: () => Promise<void>): void => {
    checks.push({ title, run });
  };
  const sandboxConfig = (): PodSandboxConfig => {
    const uid = `uid-${++serial}`;
    return {
      metadata: { name: `pod-${serial}`, namespace: "default", uid, attempt: 0 },
      hostname: `pod-${serial}`,
      logDirectory: subject.logRoot === undefined ? undefined : `${subject.logRoot}/${uid}`,
      portMappings: [],
      labels: { "io.kubernetes.pod.uid": uid },
      annotations: { note: "kept" },
      security: { namespaces: { network: "pod", pid: "container", ipc: "pod" } },
    };
  };
  const containerConfig = (program: Program, more: Partial<ContainerConfig> = {}): ContainerConfig => ({
    metadata: { name: "c", attempt: 0 },
    image: subject.image,
    env: [],
    mounts: [],
    labels: { "io.kubernetes.container.name": "c" },
    annotations: {},
    logPath: "c/0.log",
    security: { namespaces: { network: "pod", pid: "container", ipc: "pod" } },
    ...program,
    ...more,
  });
  const launch = async (
    program: Program,
  ): Promise<{ readonly sandboxId: string; readonly id: string; readonly sandbox: PodSandboxConfig }> => {
    const sandbox = sandboxConfig();
    const image = await runtime.pullImage(subject.image);
    const sandboxId = await runtime.runPodSandbox(sandbox);
    const id = await runtime.createContainer(sandboxId, { ...containerConfig(program), image }, sandbox);
    await runtime.startContainer(id);
    return { sandboxId, id, sandbox };
  };
  const until = async (id: string, state: ContainerStatus["state"]): Promise<ContainerStatus> => {
    for (let turn = 0; turn < 500; turn++) {
      const status = await runtime.containerStatus(id);
      if (status.state === state) return status;
      await subject.settle();
    }
    throw new Error(`container ${id} is not ${state}`);
  };
  const failure = (work: Promise<unknown>): Promise<unknown> =>
    work.then(
      () => undefined,
      (error: unknown) => error,
    );

  check("it says who it is and that it is ready", async () => {
    expect((await runtime.version()).name).toMatch(/^[a-z]/);
    expect((await runtime.status()).conditions.map(({ type, status }) => [type, status])).toEqual([
      ["RuntimeReady", true],
      ["NetworkReady", true],
    ]);
  });

  check("sandboxes have addresses of their own", async () => {
    const ids = [await runtime.runPodSandbox(sandboxConfig()), await runtime.runPodSandbox(sandboxConfig())];
    const ips = await Promise.all(ids.map(async (id) => (await runtime.podSandboxStatus(id)).ips[0]));
    expect(new Set(ips).size).toBe(2);
    expect(ips[0]).toMatch(/^\d+\.\d+\.\d+\.\d+$/);
    for (const id of ids) await runtime.removePodSandbox(id);
  });

  check("sandboxes are found by label and state, with their annotations", async () => {
    const config = sandboxConfig();
    const id = await runtime.runPodSandbox(config);
    const [found] = await runtime.listPodSandboxes({ labels: config.labels, state: "ready" });
    expect(found).toMatchObject({ id, metadata: config.metadata, annotations: { note: "kept" } });
    await runtime.stopPodSandbox(id);
    expect(await runtime.listPodSandboxes({ labels: config.labels, state: "ready" })).toEqual([]);
    await runtime.removePodSandbox(id);
    expect(await runtime.listPodSandboxes({ labels: config.labels })).toEqual([]);
  });

  check("a container goes from created over running to exited", async () => {
    const sandbox = sandboxConfig();
    const image = await runtime.pullImage(subject.image);
    const sandboxId = await runtime.runPodSandbox(sandbox);
    const config = { ...containerConfig(subject.programs.exits(7)), image };
    const id = await runtime.createContainer(sandboxId, config, sandbox);
    expect(await runtime.containerStatus(id)).toMatchObject({ state: "created", startedAtMs: 0, sandboxId });
    await runtime.startContainer(id);
    const status = await until(id, "exited");
    expect(status).toMatchObject({ exitCode: 7, reason: "Error" });
    expect([image, ...((await runtime.imageStatus(image))?.repoDigests ?? [])]).toContain(status.imageRef);
    expect(status.startedAtMs).toBeGreaterThanOrEqual(Math.floor(status.createdAtMs));
    expect(status.finishedAtMs).toBeGreaterThanOrEqual(Math.floor(status.startedAtMs) - 1);
    await runtime.removePodSandbox(sandboxId);
    expect(isRuntimeError(await failure(runtime.containerStatus(id)), "not-found")).toBe(true);
  });

  check("success is Completed", async () => {
    const { id, sandboxId } = await launch(subject.programs.exits(0));
    expect(await until(id, "exited")).toMatchObject({ exitCode: 0, reason: "Completed" });
    await runtime.removePodSandbox(sandboxId);
  });

  check("starting twice is refused", async () => {
    const { id, sandboxId } = await launch(subject.programs.forever);
    expect(isRuntimeError(await failure(runtime.startContainer(id)), "failed-precondition")).toBe(true);
    await runtime.removePodSandbox(sandboxId);
  });

  check("the same name and attempt twice is refused", async () => {
    const { sandboxId, sandbox } = await launch(subject.programs.forever);
    const config = { ...containerConfig(subject.programs.forever), image: await runtime.pullImage(subject.image) };
    const again = runtime.createContainer(sandboxId, config, sandbox);
    expect(isRuntimeError(await failure(again), "already-exists")).toBe(true);
    await runtime.removePodSandbox(sandboxId);
  });

  check("stopping ends a container that heeds the signal", async () => {
    const { id, sandboxId } = await launch(subject.programs.forever);
    await runtime.stopContainer(id, 30);
    expect((await runtime.containerStatus(id)).state).toBe("exited");
    await runtime.stopContainer(id, 30);
    await runtime.removePodSandbox(sandboxId);
  });

  check("a container that does not heed it is killed after the grace period", async () => {
    const { id, sandboxId } = await launch(subject.programs.stubborn);
    // Until the program has got as far as not to heed it.
    for (let turn = 0; turn < 20; turn++) await subject.settle();
    let done = false;
    const stopping = runtime.stopContainer(id, 1).then(() => {
      done = true;
    });
    for (let turn = 0; turn < 500 && !done; turn++) await subject.settle();
    await stopping;
    expect(await runtime.containerStatus(id)).toMatchObject({ state: "exited", exitCode: 137 });
    await runtime.removePodSandbox(sandboxId);
  });

  check("stopping a sandbox ends its containers", async () => {
    const { id, sandboxId } = await launch(subject.programs.stubborn);
    await runtime.stopPodSandbox(sandboxId);
    expect((await runtime.containerStatus(id)).state).toBe("exited");
    expect((await runtime.podSandboxStatus(sandboxId)).state).toBe("notready");
    await runtime.removePodSandbox(sandboxId);
  });

  check("removing what is not there is a success, asking for it is not", async () => {
    await runtime.stopContainer("nothing", 1);
    await runtime.removeContainer("nothing");
    await runtime.removePodSandbox("nothing");
    expect(isRuntimeError(await failure(runtime.containerStatus("nothing")), "not-found")).toBe(true);
    expect(isRuntimeError(await failure(runtime.podSandboxStatus("nothing")), "not-found")).toBe(true);
  });

  check("commands run in a running container only", async () => {
    const { id, sandboxId } = await launch(subject.programs.forever);
    const result = await runtime.execSync(id, subject.talk, 10);
    expect(Buffer.from(result.stdout).toString().trim()).toBe("hello");
    expect(Buffer.from(result.stderr).toString().trim()).toBe("oops");
    expect(result.exitCode).toBe(3);
    await runtime.stopContainer(id, 0);
    expect(isRuntimeError(await failure(runtime.execSync(id, subject.talk, 10)), "failed-precondition")).toBe(true);
    await runtime.removePodSandbox(sandboxId);
  });

  check("what a container is held to changes while it runs", async () => {
    const sandbox = sandboxConfig();
    const image = await runtime.pullImage(subject.image);
    const sandboxId = await runtime.runPodSandbox(sandbox);
    const before = { cpuPeriodUs: 100_000, cpuQuotaUs: 50_000, cpuShares: 512, memoryLimitBytes: 64 * 2 ** 20 };
    const config = { ...containerConfig(subject.programs.forever, { resources: before }), image };
    const id = await runtime.createContainer(sandboxId, config, sandbox);
    await runtime.startContainer(id);
    const { startedAtMs } = await runtime.containerStatus(id);
    await runtime.updateContainerResources(id, { cpuPeriodUs: 100_000, cpuQuotaUs: 20_000, cpuShares: 204 });
    await runtime.updateContainerResources(id, { memoryLimitBytes: 128 * 2 ** 20 });
    const status = await runtime.containerStatus(id);
    expect(status).toMatchObject({ state: "running", startedAtMs });
    if (status.resources !== undefined) {
      const after = { cpuPeriodUs: 100_000, cpuQuotaUs: 20_000, cpuShares: 204, memoryLimitBytes: 128 * 2 ** 20 };
      expect(status.resources).toMatchObject(after);
    }
    const nowhere = runtime.updateContainerResources("nothing", { cpuShares: 2 });
    expect(isRuntimeError(await failure(nowhere), "not-found")).toBe(true);
    await runtime.removePodSandbox(sandboxId);
  });

  check("a command's streams carry input and output", async () => {
    const { id, sandboxId } = await launch(subject.programs.forever);
    const stream = local(await runtime.exec(id, { command: subject.cat, stdin: true, stdout: true }));
    stream.stdin?.end("through and back\n");
    let output = "";
    if (stream.stdout !== undefined) for await (const chunk of stream.stdout) output += String(chunk);
    expect(output).toBe("through and back\n");
    expect((await stream.exit).exitCode).toBe(0);
    await runtime.removePodSandbox(sandboxId);
  });

  check("output is logged", async () => {
    const { id, sandboxId } = await launch(subject.programs.exits(0));
    const status = await until(id, "exited");
    const lines: string[] = [];
    if (runtime.readLog !== undefined) {
      for await (const record of runtime.readLog(id, { follow: false }))
        lines.push(Buffer.from(record.text).toString());
    } else {
      const text = await readFile(status.logPath ?? "");
      for (const line of text.toString("latin1").split("\n").slice(0, -1)) {
        const record = parseLogLine(Buffer.from(line, "latin1"));
        if (record?.stream === "stdout") lines.push(Buffer.from(record.text).toString());
      }
    }
    expect(lines).toEqual(["out"]);
    await runtime.removePodSandbox(sandboxId);
  });

  check("events tell what happens to a container", async () => {
    if (runtime.events === undefined) return;
    const stop = new AbortController();
    const seen: string[] = [];
    const events = runtime.events(stop.signal);
    const reading = (async () => {
      for await (const { type, containerId, sandboxId } of events) {
        if (containerId !== sandboxId) seen.push(type);
      }
      return true;
    })().catch((error: unknown) => {
      if (!isRuntimeError(error, "unimplemented")) throw error;
      return false;
    });
    const { id, sandboxId } = await launch(subject.programs.exits(0));
    await until(id, "exited");
    await runtime.removePodSandbox(sandboxId);
    for (let turn = 0; turn < 100 && seen.length < 3; turn++) await subject.settle();
    stop.abort();
    if (!(await reading)) return;
    expect(seen.slice(0, 3)).toEqual(["created", "started", "stopped"]);
  });

  check("images are pulled, listed and removed", async () => {
    const id = await runtime.pullImage(subject.image);
    expect(await runtime.pullImage(subject.image)).toBe(id);
    expect(await runtime.imageStatus(subject.image)).toMatchObject({ id });
    expect((await runtime.listImages()).map((image) => image.id)).toContain(id);
  });
  return {
    checks,
    bind(given) {
      subject = given;
      runtime = given.runtime;
    },
  };
}

function local(stream: ProcessStream): LocalProcessStream {
  if (stream.kind !== "local") throw new Error("the runtime serves its streams at a URL");
  return stream;
}
