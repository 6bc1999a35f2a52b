import { describe, expect, it } from "vitest";
import type { JsonObject } from "../../object.js";
import { created, updated, withPath } from "../testing.js";

const template = { spec: { containers: [{ name: "c", image: "busybox:1" }], restartPolicy: "Never" } };
const meta = { name: "sum", namespace: "default", uid: "u-1" };
const indexed = { completionMode: "Indexed", completions: 5, parallelism: 2, template };

function job(spec: JsonObject): JsonObject {
  return { metadata: meta, spec: { template, ...spec } };
}

const rows: readonly { readonly name: string; readonly spec: JsonObject; readonly errors: readonly string[] }[] = [
  { name: "an indexed job", spec: indexed, errors: [] },
  {
    name: "pods that never end",
    spec: { template: withPath(template, "spec.restartPolicy", "Always") },
    errors: ['spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"'],
  },
  {
    name: "failed indexes of a job without indexes",
    spec: { maxFailedIndexes: 1 },
    errors: [
      "spec.backoffLimitPerIndex: Required value: when maxFailedIndexes is specified",
      "spec.maxFailedIndexes: Invalid value: 1: requires indexed completion mode",
    ],
  },
  {
    name: "very many indexes, each with retries",
    spec: { ...indexed, completions: 200_000, parallelism: 20_000, backoffLimitPerIndex: 1 },
    errors: [
      "spec.maxFailedIndexes: Required value: must be specified when completions is above 100000",
      "spec.parallelism: Invalid value: 20000: must be less than or equal to 10000 when completions are above 100000 and used with backoff limit per index",
    ],
  },
  {
    name: "somebody else's controller",
    spec: { managedBy: "Acme.io/my controller" },
    errors: [
      `spec.managedBy: Invalid value: "Acme.io": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')`,
      `spec.managedBy: Invalid value: "my controller": Invalid path (regex used for validation is '[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+')`,
    ],
  },
  {
    name: "a failure policy that says too little and too much",
    spec: {
      podFailurePolicy: {
        rules: [
          { action: "Ignore" },
          {
            onExitCodes: { containerName: "other", operator: "In", values: [2, 0, 2] },
            onPodConditions: [{ type: "Ready", status: "Maybe" }],
          },
          { action: "FailIndex", onExitCodes: { operator: "NotIn", values: [] } },
        ],
      },
    },
    errors: [
      "spec.podFailurePolicy.rules[0]: Invalid value: specifying one of OnExitCodes and OnPodConditions is required",
      'spec.podFailurePolicy.rules[1].action: Required value: valid values: ["Count" "FailIndex" "FailJob" "Ignore"]',
      'spec.podFailurePolicy.rules[1].onExitCodes.containerName: Invalid value: "other": must be one of the container or initContainer names in the pod template',
      "spec.podFailurePolicy.rules[1].onExitCodes.values[1]: Invalid value: 0: must not be 0 for the In operator",
      "spec.podFailurePolicy.rules[1].onExitCodes.values[2]: Duplicate value: 2",
      "spec.podFailurePolicy.rules[1].onExitCodes.values: Invalid value: [2,0,2]: must be ordered",
      'spec.podFailurePolicy.rules[1].onPodConditions[0].status: Unsupported value: "Maybe": supported values: "False", "True", "Unknown"',
      "spec.podFailurePolicy.rules[1]: Invalid value: specifying both OnExitCodes and OnPodConditions is not supported",
      'spec.podFailurePolicy.rules[2].action: Invalid value: "FailIndex": requires the backoffLimitPerIndex to be set',
      "spec.podFailurePolicy.rules[2].onExitCodes.values: Invalid value: []: at least one value is required",
    ],
  },
  {
    name: "success that cannot be had",
    spec: {
      ...indexed,
      successPolicy: {
        rules: [
          {},
          { succeededIndexes: "0-2,2" },
          { succeededIndexes: "1,9" },
          { succeededIndexes: "0-1", succeededCount: 6 },
        ],
      },
    },
    errors: [
      "spec.successPolicy.rules[0]: Required value: at least one of succeededCount or succeededIndexes must be specified",
      'spec.successPolicy.rules[1].succeededIndexes: Invalid value: "0-2,2": error parsing succeededIndexes: non-increasing order, previous: 2, current: 2',
      'spec.successPolicy.rules[2].succeededIndexes: Invalid value: "1,9": error parsing succeededIndexes: too large index: "9"',
      "spec.successPolicy.rules[3].succeededCount: Invalid value: 6: must be less than or equal to 5 (the number of specified completions)",
      "spec.successPolicy.rules[3].succeededCount: Invalid value: 6: must be less than or equal to 2 (the number of indexes in the specified succeededIndexes field)",
    ],
  },
];

describe("jobs", () => {
  it.each(rows)("$name", ({ spec, errors }) => {
    expect(created("batch/jobs", job(spec)).errors).toEqual(errors);
  });
});

const start = "2026-01-01T00:00:00Z";
const end = "2026-01-01T00:01:00Z";
const yes = (...types: readonly string[]): JsonObject[] => types.map((type) => ({ type, status: "True" }));
const done = { startTime: start, completionTime: end, succeeded: 1, conditions: yes("SuccessCriteriaMet", "Complete") };

interface StatusRow {
  readonly name: string;
  readonly spec?: JsonObject;
  readonly before: JsonObject;
  readonly after: JsonObject;
  readonly errors: readonly string[];
}

const statusRows: readonly StatusRow[] = [
  { name: "a job completes", before: { startTime: start, active: 1 }, after: done, errors: [] },
  {
    name: "a job fails in two steps",
    before: { startTime: start, failed: 1, conditions: yes("FailureTarget") },
    after: { startTime: start, failed: 1, conditions: yes("FailureTarget", "Failed") },
    errors: [],
  },
  {
    name: "a job completes out of nothing",
    before: {},
    after: { active: 1, ready: 2, conditions: yes("Complete") },
    errors: [
      "status.completionTime: Required value: completionTime is required for Complete jobs",
      "status.conditions: Invalid value: cannot set Complete=True condition without the SuccessCriteriaMet=true condition",
      "status.active: Invalid value: 1: active>0 is invalid for finished job",
      "status.startTime: Required value: startTime is required for finished job",
      "status.ready: Invalid value: 2: cannot set more ready pods than active",
    ],
  },
  {
    name: "a finished job starts again",
    before: done,
    after: { startTime: end, active: 1 },
    errors: [
      "status.conditions: Invalid value: cannot disable the terminal Complete=True condition",
      "status.succeeded: Invalid value: 0: cannot decrease the succeeded counter",
      "status.startTime: Required value: startTime cannot be removed for unsuspended job",
      "status.conditions: Invalid value: cannot disable the SuccessCriteriaMet=True condition",
    ],
  },
  {
    name: "indexes that failed and succeeded",
    spec: { ...indexed, backoffLimitPerIndex: 1 },
    before: {},
    after: { completedIndexes: "0-2", failedIndexes: "2,4" },
    errors: ['status.failedIndexes: Invalid value: "2,4": failedIndexes and completedIndexes overlap at index: 2'],
  },
  {
    name: "what was wrong before a change of the spec may stay",
    spec: indexed,
    before: { completedIndexes: "0-9" },
    after: { completedIndexes: "0-9", active: 1 },
    errors: [],
  },
  {
    name: "pods counted twice",
    before: {},
    after: { uncountedTerminatedPods: { succeeded: ["a", ""], failed: ["a"] } },
    errors: [
      'status.uncountedTerminatedPods.succeeded[1]: Invalid value: "": must not be empty',
      'status.uncountedTerminatedPods.failed[0]: Duplicate value: "a"',
    ],
  },
];

describe("the status of jobs", () => {
  it.each(statusRows)("$name", ({ spec = {}, before, after, errors }) => {
    const { object } = created("batch/jobs", job(spec));
    const old = withPath(object, "status", before);
    expect(updated("batch/jobs", withPath(object, "status", after), old, "status").errors).toEqual(errors);
  });
});

describe("updates of jobs", () => {
  it("a stopped job can be given other resources and places", () => {
    const stopped = withPath(created("batch/jobs", job({ suspend: true })).object, "status", {
      startTime: start,
      conditions: yes("Suspended"),
    });
    const resized = withPath(stopped, "spec.template.spec.containers.0.resources", { requests: { cpu: "2" } });
    expect(updated("batch/jobs", resized, stopped).errors).toEqual([]);
    const other = withPath(resized, "spec.template.spec.containers.0.image", "busybox:2");
    expect(updated("batch/jobs", other, stopped).errors).toHaveLength(1);
  });

  it("a cron job that had a zone in its schedule keeps it", () => {
    const spec = { schedule: "TZ=UTC 0 0 * * *", jobTemplate: { spec: { template } } };
    const { object, errors } = created("batch/cronjobs", { metadata: meta, spec });
    expect(errors).toEqual([
      'spec.schedule: Invalid value: "TZ=UTC 0 0 * * *": cannot use TZ or CRON_TZ in schedule, use timeZone field instead',
    ]);
    expect(updated("batch/cronjobs", object, object).errors).toEqual([]);
    expect(updated("batch/cronjobs", withPath(object, "spec.timeZone", "Etc/UTC"), object).errors).toEqual([
      'spec.schedule: Invalid value: "TZ=UTC 0 0 * * *": cannot use both timeZone field and TZ or CRON_TZ in schedule',
    ]);
  });
});
