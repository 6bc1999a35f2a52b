import type { CronJob, Job, JobSpec, PodFailurePolicy } from "../../gen/types.js";
import { defaultPodTemplate } from "../core/pod-defaults.js";
import { mapField, mapItems, withDefaults, withField, withZeroDefaults } from "../defaulting.js";
import { isEmptyMap, type Loose } from "../loose.js";

const maxInt32 = 2147483647;

export function defaultJob(job: Loose<Job>): Loose<Job> {
  const result = mapField(job, "spec", (given) => {
    let spec = given;
    // A job without either number is done when one pod is; one with parallelism alone is a work queue.
    if (spec.completions === undefined && spec.parallelism === undefined) {
      spec = withDefaults(spec, { completions: 1 });
    }
    spec = withDefaults(spec, {
      parallelism: 1,
      backoffLimit: spec.backoffLimitPerIndex === undefined ? 6 : maxInt32,
      completionMode: "NonIndexed",
      suspend: false,
      manualSelector: false,
      podReplacementPolicy: spec.podFailurePolicy === undefined ? "TerminatingOrFailed" : "Failed",
    });
    return mapField(defaultFailurePolicyOf(spec), "template", defaultPodTemplate);
  });
  const labels = result.spec?.template?.metadata?.labels;
  if (labels === undefined || !isEmptyMap(result.metadata?.labels)) return result;
  return withField(result, "metadata", { ...result.metadata, labels });
}

export function defaultCronJob(job: Loose<CronJob>): Loose<CronJob> {
  return mapField(job, "spec", (given) => {
    const spec = withDefaults(withZeroDefaults(given, { concurrencyPolicy: "Allow" }), {
      suspend: false,
      successfulJobsHistoryLimit: 3,
      failedJobsHistoryLimit: 1,
    });
    // The job's own defaults wait until the job is made.
    return mapField(spec, "jobTemplate", (template) =>
      mapField(template, "spec", (jobSpec) =>
        mapField(defaultFailurePolicyOf(jobSpec), "template", defaultPodTemplate),
      ),
    );
  });
}

function defaultFailurePolicyOf(spec: Loose<JobSpec>): Loose<JobSpec> {
  return mapField(spec, "podFailurePolicy", defaultFailurePolicy);
}

function defaultFailurePolicy(policy: Loose<PodFailurePolicy>): Loose<PodFailurePolicy> {
  return mapField(policy, "rules", (rules) =>
    mapItems(rules, (rule) =>
      mapField(rule, "onPodConditions", (patterns) =>
        mapItems(patterns, (pattern) => withZeroDefaults(pattern, { status: "True" })),
      ),
    ),
  );
}
