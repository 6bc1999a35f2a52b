import type { CronJob, Job } from "../../gen/types.js";
import { workloadWarnings } from "../apps/strategies.js";
import { templateWarnings } from "../core/pod-warnings.js";
import { startsWithStatus } from "../status-zero.js";
import { type StrategyEntry, strategyOf } from "../strategy.js";
import { defaultCronJob, defaultJob } from "./defaults.js";
import { prepareJob } from "./job-identity.js";
import { validateCronJob, validateJob, validateJobUpdate, validateNewCronJob } from "./validation.js";

export const batchStrategies: readonly StrategyEntry[] = [
  [
    "batch/jobs",
    strategyOf<Job>({
      defaults: defaultJob,
      prepareForCreate: prepareJob,
      validate: validateJob,
      validateUpdate: validateJobUpdate,
      warnings: workloadWarnings,
      // For compatibility deleting a batch/v1 Job leaves its pods, unless the request says otherwise (kubectl's does).
      defaultPropagation: "Orphan",
    }),
  ],
  [
    "batch/cronjobs",
    strategyOf<CronJob>({
      defaults: defaultCronJob,
      prepareForCreate: startsWithStatus({}),
      validate: validateCronJob,
      validateCreate: validateNewCronJob,
      warnings: (job, old) =>
        old === undefined
          ? templateWarnings("spec.jobTemplate.spec.template", job.spec?.jobTemplate?.spec?.template)
          : [],
    }),
  ],
];
