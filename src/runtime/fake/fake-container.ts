import type { Clock, ClockTimer } from "../../internal/clock.js";
import type { Container, ContainerConfig, ContainerResources, ContainerState, ContainerStatus } from "../container.js";
import { type LogRecord, logTime } from "../cri-log.js";
import { RuntimeError } from "../errors.js";
import type { PodSandboxConfig } from "../sandbox.js";
import { updated } from "../update.js";
import type { FakeBehavior } from "./behavior.js";

const killed = 137;
const noBehavior: FakeBehavior = {};

/** A container as a record: its whole life is three timestamps and an exit code. */
export class FakeContainer {
  readonly id: string;
  readonly sandboxId: string;
  readonly config: ContainerConfig;
  readonly behavior: FakeBehavior;
  readonly #clock: Clock;
  readonly #logDirectory: string | undefined;
  readonly #onExit: (container: FakeContainer) => void;
  readonly createdAtMs: number;
  state: ContainerState = "created";
  #resources: ContainerResources;
  #startedAtMs = 0;
  #finishedAtMs = 0;
  #exitCode = 0;
  #reason: string | undefined;
  #message: string | undefined;
  #timer: ClockTimer | undefined;
  #waiters: (() => void)[] | undefined;

  constructor(
    id: string,
    sandboxId: string,
    config: ContainerConfig,
    more: {
      readonly sandbox: PodSandboxConfig;
      readonly behavior: FakeBehavior | undefined;
      readonly clock: Clock;
      readonly onExit: (container: FakeContainer) => void;
    },
  ) {
    this.id = id;
    this.sandboxId = sandboxId;
    this.config = config;
    this.#resources = config.resources ?? {};
    this.behavior = more.behavior ?? noBehavior;
    this.#clock = more.clock;
    this.#logDirectory = more.sandbox.logDirectory;
    this.#onExit = more.onExit;
    this.createdAtMs = more.clock.now();
  }

  start(): void {
    if (this.state !== "created") {
      throw new RuntimeError("failed-precondition", `container ${this.id} is ${this.state}, not created`);
    }
    const { startError, exitAfterMs, exitCode = 0, exitReason } = this.behavior;
    if (startError !== undefined) {
      this.#message = startError;
      this.finish(128, "StartError");
      throw new RuntimeError("internal", startError);
    }
    this.#startedAtMs = this.#clock.now();
    this.state = "running";
    if (exitAfterMs !== undefined) {
      this.#timer = this.#clock.setTimeout(() => this.finish(exitCode, exitReason), exitAfterMs);
    }
  }

  /** Resolves when it has exited. */
  stop(timeoutMs: number): Promise<void> | undefined {
    if (this.state === "created") this.finish(killed, "Error");
    if (this.state !== "running") return undefined;
    const { stopAfterMs = 0, stopExitCode = 0 } = this.behavior;
    const graceful = stopAfterMs <= timeoutMs;
    const afterMs = Math.min(stopAfterMs, timeoutMs);
    const exit = (): void => this.finish(graceful ? stopExitCode : killed, graceful ? undefined : "Error");
    if (afterMs === 0) {
      exit();
      return undefined;
    }
    const ended = this.ended();
    const timer = this.#clock.setTimeout(exit, afterMs);
    return ended.then(() => timer.cancel());
  }

  finish(exitCode: number, reason?: string): void {
    if (this.state === "exited") return;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.state = "exited";
    this.#exitCode = exitCode;
    this.#reason = reason ?? (exitCode === 0 ? "Completed" : "Error");
    this.#message ??= this.behavior.terminationMessage;
    this.#finishedAtMs = this.#clock.now();
    const waiters = this.#waiters;
    this.#waiters = undefined;
    for (const wake of waiters ?? []) wake();
    this.#onExit(this);
  }

  update(resources: ContainerResources): void {
    this.#resources = updated(this.#resources, resources);
  }

  /** Resolves at once when it has exited already. */
  ended(): Promise<void> {
    if (this.state === "exited") return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiters ??= [];
      this.#waiters.push(resolve);
    });
  }

  summary(): Container {
    const { metadata, image, labels, annotations } = this.config;
    return {
      id: this.id,
      sandboxId: this.sandboxId,
      metadata,
      state: this.state,
      image: this.config.userImage ?? image,
      imageRef: image,
      createdAtMs: this.createdAtMs,
      labels,
      annotations,
    };
  }

  status(): ContainerStatus {
    const { logPath } = this.config;
    const directory = this.#logDirectory;
    return {
      ...this.summary(),
      startedAtMs: this.#startedAtMs,
      finishedAtMs: this.#finishedAtMs,
      exitCode: this.#exitCode,
      reason: this.#reason,
      message: this.#message,
      logPath: directory === undefined || logPath === undefined ? undefined : `${directory}/${logPath}`,
      resources: this.#resources,
    };
  }

  log(): readonly LogRecord[] {
    if (this.#startedAtMs === 0) return [];
    const at = this.#startedAtMs;
    return (this.behavior.log ?? []).map((line, index) => ({
      time: logTime(at, index % 1_000_000),
      stream: "stdout" as const,
      partial: false,
      text: Buffer.from(line),
    }));
  }
}
