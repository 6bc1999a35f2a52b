import type { Duplex } from "node:stream";
import type { ContainerConfig, ContainerStats } from "../container.js";
import type { PodSandboxConfig } from "../sandbox.js";

export interface FakeExecResult {
  readonly exitCode: number;
  readonly stdout?: string | undefined;
  readonly stderr?: string | undefined;
}

export type FakeUsage = Partial<
  Pick<
    ContainerStats,
    "cpuUsageNanoSeconds" | "memoryWorkingSetBytes" | "memoryUsageBytes" | "memoryRssBytes" | "writableLayerBytes"
  >
>;

/** What one container does. Absent fields: it starts at once, runs until it is stopped, and exits 0 then. */
export interface FakeBehavior {
  /** `startContainer` fails with this message, as when the program does not exist. */
  readonly startError?: string | undefined;
  /** It exits by itself so long after its start. */
  readonly exitAfterMs?: number | undefined;
  readonly exitCode?: number | undefined;
  /** Instead of Completed or Error: `OOMKilled`. */
  readonly exitReason?: string | undefined;
  /** Takes so long to exit after the stop signal; longer than the grace period means SIGKILL and 137. */
  readonly stopAfterMs?: number | undefined;
  readonly stopExitCode?: number | undefined;
  /** Its log, line by line, as of its start. */
  readonly log?: readonly string[] | undefined;
  /** Content of its termination message. */
  readonly terminationMessage?: string | undefined;
  /** What it is found to use. */
  usage?(): FakeUsage;
  exec?(command: readonly string[], stdin: string): FakeExecResult | Promise<FakeExecResult>;
  /** What listens on its ports. */
  connect?(port: number): Duplex | undefined;
}

export interface FakeContainerContext {
  readonly sandbox: PodSandboxConfig;
  readonly config: ContainerConfig;
}

export type FakeScript = (context: FakeContainerContext) => FakeBehavior | undefined;
