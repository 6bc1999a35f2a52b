import { type ChildProcess, execFile, spawn } from "node:child_process";
import { closeSync, constants, existsSync, type FSWatcher, openSync, watch } from "node:fs";
import { mkdir, readFile, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { Socket } from "node:net";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import type { Clock } from "../../internal/clock.js";
import type { Container, ContainerConfig, ContainerResources, ContainerState, ContainerStatus } from "../container.js";
import { RuntimeError } from "../errors.js";
import { updated } from "../update.js";
import { announceScript, type Isolation, isolate } from "./isolation.js";
import { cannotRun, type Launch } from "./launch.js";
import { LogWriter } from "./log-writer.js";
import { OutputReader } from "./output.js";
import { isAlive, processesOf, processInfo, signalProcess } from "./procfs.js";
import { onTerminal } from "./terminal.js";

/** What is on disk of a container: enough for the next agent. */
export interface ContainerRecord {
  readonly id: string;
  readonly sandboxId: string;
  readonly config: ContainerConfig;
  readonly logDirectory: string | undefined;
  readonly launch: Launch;
  readonly isolation: Isolation;
  readonly createdAtMs: number;
  readonly startedAtMs: number;
  /** The process that waits for the container's own and writes down how it ended. */
  readonly waiter?: { readonly pid: number; readonly startTime: number } | undefined;
  readonly ended?:
    | {
        readonly atMs: number;
        readonly exitCode: number;
        readonly reason: string;
        readonly message?: string | undefined;
      }
    | undefined;
}

// $0 is the container's folder. The waiter's own words ("Killed") must not get into the container's output; dash keeps the redirections
// of a plain command in force for itself until that has ended, those within a subshell not.
const waiterScript = `exec 3>&2 2>/dev/null 4>"$0/pid"
(exec "$@" 2>&3)
code=$?
echo "$code" > "$0/exit.tmp" && mv "$0/exit.tmp" "$0/exit"`;

const run = promisify(execFile);

/** A container: a process of the host with those that it starts. It outlives this object. */
export class ProcessContainer {
  record: ContainerRecord;
  readonly #dir: string;
  readonly #clock: Clock;
  readonly #onChange: (container: ProcessContainer, type: "started" | "stopped") => void;
  readonly output: OutputReader;
  #stdin: Socket | undefined;
  #watcher: FSWatcher | undefined;
  #child: ChildProcess | undefined;
  #ending: Promise<void> | undefined;
  #saving: Promise<void> = Promise.resolve();
  readonly #waiters: (() => void)[] = [];

  constructor(
    record: ContainerRecord,
    options: {
      readonly dir: string;
      readonly clock: Clock;
      readonly onChange: (container: ProcessContainer, type: "started" | "stopped") => void;
    },
  ) {
    this.record = record;
    this.#dir = options.dir;
    this.#clock = options.clock;
    this.#onChange = options.onChange;
    const log = this.logPath === undefined ? undefined : new LogWriter(this.logPath, options.clock);
    this.output = new OutputReader(log);
  }

  get dir(): string {
    return this.#dir;
  }

  get state(): ContainerState {
    if (this.record.ended !== undefined) return "exited";
    return this.record.waiter === undefined ? "created" : "running";
  }

  get logPath(): string | undefined {
    const { logDirectory, config } = this.record;
    return logDirectory === undefined || config.logPath === undefined ? undefined : join(logDirectory, config.logPath);
  }

  get stdin(): Socket | undefined {
    return this.#stdin;
  }

  /** The container's own process; undefined before it is known. */
  async pid(): Promise<number | undefined> {
    const text = await readFile(join(this.#dir, "pid"), "utf8").catch(() => "");
    return text.endsWith("\n") ? Number(text) : undefined;
  }

  /** Makes the folder with the links to the mounts. */
  async prepare(): Promise<void> {
    const root = join(this.#dir, "root");
    await mkdir(root, { recursive: true });
    await mkdir(join(this.#dir, "files"), { recursive: true });
    for (const { containerPath, hostPath } of this.record.config.mounts) {
      const link = join(root, containerPath);
      if (!link.startsWith(`${root}/`)) continue;
      await mkdir(dirname(link), { recursive: true }).catch(() => {});
      // A mount inside another one is reachable through that one.
      await symlink(hostPath, link).catch(() => {});
    }
    await this.#save();
  }

  async start(): Promise<void> {
    if (this.state !== "created") {
      throw new RuntimeError("failed-precondition", `container ${this.record.id} is ${this.state}, not created`);
    }
    const { launch, isolation, config } = this.record;
    const why = isolation === "none" || config.mounts.length === 0 ? cannotRun(launch) : undefined;
    if (why !== undefined) {
      await this.#finish(128, "StartError", why);
      throw new RuntimeError("internal", why);
    }
    this.record = { ...this.record, startedAtMs: this.#clock.now() };
    await this.#makePipes();
    const stdio = this.#openForChild();
    const argv = await this.#argv();
    const child = spawn("sh", ["-c", waiterScript, this.#dir, ...argv], {
      cwd: existsSync(launch.workingDir ?? "") && isolation === "none" ? launch.workingDir : join(this.#dir, "files"),
      env: launch.env,
      detached: true,
      stdio,
    });
    for (const fd of stdio) if (typeof fd === "number") closeSync(fd);
    this.#child = child;
    await new Promise<void>((resolve, reject) => {
      child.once("spawn", resolve);
      child.once("error", (error) =>
        reject(new RuntimeError("internal", `cannot run sh: ${error.message}`, { cause: error })),
      );
    });
    const { pid = 0 } = child;
    const startTime = (await processInfo(pid))?.startTime ?? 0;
    this.record = { ...this.record, waiter: { pid, startTime } };
    await this.#save();
    this.#watch();
    child.once("exit", () => void this.check());
    child.unref();
    this.#onChange(this, "started");
    await this.#started();
    // It may have ended before anybody watched.
    void this.check();
  }

  /** Takes up a container that was started by an agent before. */
  async adopt(): Promise<void> {
    if (this.state !== "running") return;
    if (existsSync(join(this.#dir, "exit")) || !(await this.#waiterLives())) return this.check();
    this.#openReaders();
    if (this.record.config.stdin) this.#openStdin();
    this.#watch();
    await this.check();
  }

  /** Sends the stop signal, waits, kills; resolves when it has ended. */
  async stop(timeoutMs: number): Promise<void> {
    if (this.state === "created") return this.#finish(137, "Error");
    if (this.state === "exited") return;
    const ended = this.ended();
    const pid = await this.pid();
    if (timeoutMs > 0 && pid !== undefined) {
      signalProcess(pid, this.record.launch.stopSignal as NodeJS.Signals);
      let timer: { cancel(): void } | undefined;
      const late = new Promise<void>((resolve) => {
        timer = this.#clock.setTimeout(resolve, timeoutMs);
      });
      await Promise.race([ended, late]);
      timer?.cancel();
    }
    // A process may start another while it is being looked for: until none is left.
    while (this.state === "running") {
      await this.#killAll();
      await this.check();
      if (this.state === "running") await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 20))]);
    }
  }

  async remove(): Promise<void> {
    await this.stop(0);
    await this.#ending;
    this.release();
    await rm(this.#dir, { recursive: true, force: true });
  }

  /** Lets go of it without ending it. */
  release(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
    this.#child?.removeAllListeners();
    this.#stdin?.destroy();
    this.output.close();
  }

  ended(): Promise<void> {
    if (this.state === "exited") return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  /** Whether it has ended meanwhile, and how. */
  async check(): Promise<void> {
    if (this.state !== "running") return;
    const text = await readFile(join(this.#dir, "exit"), "utf8").catch(() => undefined);
    if (text !== undefined) {
      const exitCode = Number(text);
      return this.#finish(exitCode, exitCode === 0 ? "Completed" : "Error");
    }
    if (await this.#waiterLives()) return;
    // Once more: it may have written between the two looks.
    if (existsSync(join(this.#dir, "exit"))) return this.check();
    await this.#finish(255, "Unknown");
  }

  summary(): Container {
    const { id, sandboxId, config, createdAtMs } = this.record;
    const { metadata, image, userImage, labels, annotations } = config;
    return {
      id,
      sandboxId,
      metadata,
      state: this.state,
      image: userImage ?? image,
      imageRef: image,
      createdAtMs,
      labels,
      annotations,
    };
  }

  status(): ContainerStatus {
    const { startedAtMs, ended } = this.record;
    return {
      ...this.summary(),
      startedAtMs,
      finishedAtMs: ended?.atMs ?? 0,
      exitCode: ended?.exitCode ?? 0,
      reason: ended?.reason,
      message: ended?.message,
      logPath: this.logPath,
      resources: this.record.config.resources ?? {},
    };
  }

  /** Closes the container's standard input, as when the only client that it waits for has gone. */
  closeStdin(): void {
    this.#stdin?.end();
    this.#stdin = undefined;
  }

  async #argv(): Promise<readonly string[]> {
    const { launch, isolation, config } = this.record;
    const command = config.tty ? onTerminal(launch.argv, join(this.#dir, "tty")) : launch.argv;
    if (isolation === "none" || config.mounts.length === 0) {
      return ["sh", "-c", announceScript, "sh", ...command];
    }
    const rootfs = join(this.#dir, "rootfs");
    await mkdir(rootfs, { recursive: true });
    const mounts = [...config.mounts].filter(({ hostPath }) => existsSync(hostPath));
    return [...(await isolate(rootfs, mounts, launch.workingDir ?? "/")), ...command];
  }

  async #makePipes(): Promise<void> {
    const names = ["out", "err", ...(this.record.config.stdin ? ["in"] : [])].map((name) => join(this.#dir, name));
    await run("mkfifo", ["-m", "600", ...names], { env: { PATH: this.record.launch.env.PATH ?? "" } });
    this.#openReaders();
    if (this.record.config.stdin) this.#openStdin();
  }

  #openReaders(): void {
    this.output.open("stdout", join(this.#dir, "out"));
    this.output.open("stderr", join(this.#dir, "err"));
  }

  /** Both ends are opened, so that the container sees no end of input while we live. */
  #openStdin(): void {
    const fd = openSync(join(this.#dir, "in"), constants.O_RDWR | constants.O_NONBLOCK);
    this.#stdin = new Socket({ fd, readable: false, writable: true });
    this.#stdin.on("error", () => {});
  }

  /** Output pipes are opened for both ways: their writer is never told that nobody reads. */
  #openForChild(): [number | "ignore", number, number] {
    const stdin = this.record.config.stdin ? openSync(join(this.#dir, "in"), constants.O_RDONLY) : "ignore";
    return [
      stdin,
      openSync(join(this.#dir, "out"), constants.O_RDWR),
      openSync(join(this.#dir, "err"), constants.O_RDWR),
    ];
  }

  #watch(): void {
    this.#watcher = watch(this.#dir, { persistent: false }, (_, name) => {
      if (name === "exit") void this.check();
    });
    this.#watcher.on("error", () => {});
  }

  /** Resolves when the program has taken the place of its starter, or has ended already. */
  async #started(): Promise<void> {
    while (this.state === "running" && (await this.pid()) === undefined) {
      await new Promise((resolve) => setTimeout(resolve, 2));
      await this.check();
    }
  }

  async #waiterLives(): Promise<boolean> {
    const { waiter } = this.record;
    return waiter !== undefined && (await isAlive(waiter.pid, waiter.startTime));
  }

  async #killAll(): Promise<void> {
    const waiter = this.record.waiter?.pid;
    for (const pid of await processesOf(this.record.id)) if (pid !== waiter) signalProcess(pid, "SIGKILL");
  }

  #finish(exitCode: number, reason: string, message?: string): Promise<void> {
    this.#ending ??= this.#end(exitCode, reason, message);
    return this.#ending;
  }

  async #end(exitCode: number, reason: string, message: string | undefined): Promise<void> {
    const mark = await stat(join(this.#dir, "exit")).catch(() => undefined);
    // With its first process a container ends, whatever that has left behind.
    if (this.record.waiter !== undefined) await this.#killAll();
    await this.output.drain();
    this.#watcher?.close();
    this.#stdin?.destroy();
    this.record = { ...this.record, ended: { atMs: mark?.mtimeMs ?? this.#clock.now(), exitCode, reason, message } };
    await this.#save();
    for (const wake of this.#waiters.splice(0)) wake();
    this.#onChange(this, "stopped");
  }

  /** Nothing of it is enforced: it is kept for the status, also for the next agent's. */
  async update(resources: ContainerResources): Promise<void> {
    const { config } = this.record;
    this.record = { ...this.record, config: { ...config, resources: updated(config.resources ?? {}, resources) } };
    await this.#save();
  }

  #save(): Promise<void> {
    const saving = this.#saving.catch(() => {}).then(() => this.#write());
    this.#saving = saving;
    return saving;
  }

  async #write(): Promise<void> {
    const path = join(this.#dir, "container.json");
    await writeFile(`${path}.tmp`, JSON.stringify(this.record), { mode: 0o600 });
    await rename(`${path}.tmp`, path);
  }
}
