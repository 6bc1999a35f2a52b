import type { CronJob, Job } from "../../gen/types.js";
import { isChanged, namedWorkloadWarnings, podNameWarnings } from "../apps/workload-warnings.js";
import { templateGatedFields } from "../core/pod-gated-fields.js";
import { templateWarnings } from "../core/pod-warnings.js";
import type { Loose } from "../loose.js";
import { startsWithStatus } from "../status-zero.js";
import { type StrategyEntry, strategyOf } from "../strategy.js";
import { validateCronJob, validateCronJobUpdate, validateNewCronJob } from "./cron-job-validation.js";
import { defaultCronJob, defaultJob } from "./defaults.js";
import { prepareJob } from "./job-identity.js";
import { validateJobStatus } from "./job-status.js";
import { validateJob, validateJobUpdate } from "./validation.js";

/** Where the status cannot follow every index that fails. */
const manyIndexes = 100_000;
const manyPods = 10_000;

function jobWarnings(job: Loose<Job>, old: Loose<Job> | undefined): readonly string[] {
  const warnings = namedWorkloadWarnings(job, old);
  const { completionMode, completions = 0, parallelism = 0 } = job.spec ?? {};
  if (completionMode !== "Indexed" || completions <= manyIndexes || parallelism <= manyPods) return warnings;
  if (!isChanged(job, old)) return warnings;
  const what = "In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4";
  const why = "Kubernetes might not be able to track completedIndexes when a big number of indexes fail";
  return [`${what}, ${why}`, ...warnings];
}

function cronJobWarnings(job: Loose<CronJob>, old: Loose<CronJob> | undefined): readonly string[] {
  if (!isChanged(job, old)) return [];
  const warnings = [...(old === undefined ? podNameWarnings(job.metadata?.name) : [])];
  warnings.push(...templateWarnings("spec.jobTemplate.spec.template", job.spec?.jobTemplate?.spec?.template));
  if (job.spec?.schedule?.includes("TZ")) {
    const where = "https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/";
    // The path is upstream's.
    warnings.push(
      `CRON_TZ or TZ used in spec.spec.schedule is not officially supported, see ${where} for more details`,
    );
  }
  return warnings;
}

export const batchStrategies: readonly StrategyEntry[] = [
  [
    "batch/jobs",
    strategyOf<Job>({
      defaults: defaultJob,
      gatedFields: templateGatedFields("spec.template"),
      prepareForCreate: prepareJob,
      validate: validateJob,
      validateUpdate: validateJobUpdate,
      validateStatusUpdate: validateJobStatus,
      warnings: jobWarnings,
      // For compatibility deleting a batch/v1 Job leaves its pods, unless the request says otherwise (kubectl's does).
      defaultPropagation: "Orphan",
    }),
  ],
  [
    "batch/cronjobs",
    strategyOf<CronJob>({
      defaults: defaultCronJob,
      gatedFields: templateGatedFields("spec.jobTemplate.spec.template"),
      prepareForCreate: startsWithStatus({}),
      validate: validateCronJob,
      validateCreate: validateNewCronJob,
      validateUpdate: validateCronJobUpdate,
      warnings: cronJobWarnings,
    }),
  ],
];
