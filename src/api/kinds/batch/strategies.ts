import type { CronJob, Job } from "../../gen/types.js";
import { startsWithStatus } from "../status-zero.js";
import { type StrategyEntry, strategyOf } from "../strategy.js";
import { defaultCronJob, defaultJob } from "./defaults.js";
import { prepareJob } from "./job-identity.js";

export const batchStrategies: readonly StrategyEntry[] = [
  [
    "batch/jobs",
    // For compatibility deleting a batch/v1 Job leaves its pods, unless the request says otherwise (kubectl's does).
    strategyOf<Job>({ defaults: defaultJob, prepareForCreate: prepareJob, defaultPropagation: "Orphan" }),
  ],
  ["batch/cronjobs", strategyOf<CronJob>({ defaults: defaultCronJob, prepareForCreate: startsWithStatus({}) })],
];
