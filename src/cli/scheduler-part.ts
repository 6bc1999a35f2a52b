import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { hostname } from "node:os";
import { createScheduler, readConfiguration, type Scheduler, type SchedulerOptions } from "../scheduler/index.js";

export interface SchedulerFlags {
  readonly config?: string;
  readonly leaderElect: boolean;
}

type Election = NonNullable<SchedulerOptions["leaderElection"]>;

/**
 * The scheduler as flags and a KubeSchedulerConfiguration have it; where both speak of the election, no flag is needed to leave it
 * out. Rejects with ConfigurationError.
 */
export async function schedulerPart(
  given: Pick<SchedulerOptions, "client" | "logger">,
  { config, leaderElect }: SchedulerFlags,
  candidate: Election,
): Promise<Scheduler> {
  const options = { ...given, host: hostname() };
  if (config === undefined)
    return createScheduler({ ...options, ...(leaderElect ? { leaderElection: candidate } : {}) });
  const text = await readFile(config, "utf8");
  const read = readConfiguration(text, {}, { readFile: (path) => readFileSync(path, "utf8") });
  const { leaderElect: wanted = true, leaderElection, kubeconfig: _, ...configured } = read;
  return createScheduler({
    ...options,
    ...configured,
    ...(leaderElect && wanted ? { leaderElection: { ...candidate, ...leaderElection } } : {}),
  });
}
