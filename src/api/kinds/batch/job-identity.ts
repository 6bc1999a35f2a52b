import type { Job } from "../../gen/types.js";
import { withMissingEntries } from "../defaulting.js";
import { isEmptyMap, type Loose } from "../loose.js";

export const controllerUidLabel = "batch.kubernetes.io/controller-uid";
const jobNameLabel = "batch.kubernetes.io/job-name";
export const legacyControllerUidLabel = "controller-uid";
const legacyJobNameLabel = "job-name";

/** The labels that tie pods to their job. */
export function generatedLabels(job: Loose<Job>): { readonly [key: string]: string } {
  const { name = "", uid = "" } = job.metadata ?? {};
  return {
    [legacyControllerUidLabel]: uid,
    [legacyJobNameLabel]: name,
    [controllerUidLabel]: uid,
    [jobNameLabel]: name,
  };
}

/**
 * A new job without a manual selector selects its pods by its own uid. A label that the client set already stays, so that
 * validation can refuse it when it differs.
 */
export function prepareJob(job: Loose<Job>): Loose<Job> {
  const result: Loose<Job> = { ...job, status: {} };
  const { spec } = result;
  if (spec === undefined || spec.manualSelector === true) return result;
  const template = spec.template ?? {};
  const labels = withMissingEntries(defined(template.metadata?.labels), generatedLabels(job));
  const matchLabels = withMissingEntries(defined(spec.selector?.matchLabels), {
    [controllerUidLabel]: job.metadata?.uid ?? "",
  });
  const { metadata } = result;
  return {
    ...result,
    // What a job is without labels of its own it is called by those of its pods: upstream's default, on every read.
    metadata: isEmptyMap(metadata?.labels) ? { ...metadata, labels } : metadata,
    spec: {
      ...spec,
      selector: { ...spec.selector, matchLabels },
      template: { ...template, metadata: { ...template.metadata, labels } },
    },
  };
}

function defined(
  map: { readonly [key: string]: string | undefined } | undefined,
): { readonly [key: string]: string } | undefined {
  return map as { readonly [key: string]: string } | undefined;
}
