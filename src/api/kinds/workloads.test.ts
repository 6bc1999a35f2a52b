import { describe, expect, it } from "vitest";
import type { JsonObject } from "../object.js";
import { cronScheduleError } from "./batch/cron-schedule.js";
import { created, updated, withPath } from "./testing.js";

const template = {
  metadata: { labels: { app: "web" } },
  spec: { containers: [{ name: "c", image: "nginx:1" }] },
};
const selector = { matchLabels: { app: "web" } };
const meta = { name: "web", namespace: "default", uid: "u-1" };
const deployment: JsonObject = { metadata: meta, spec: { selector, template } };
const statefulSet: JsonObject = { metadata: meta, spec: { selector, template, serviceName: "web" } };
const jobTemplate = { spec: { ...template.spec, restartPolicy: "Never" } };
const job: JsonObject = { metadata: meta, spec: { template: jobTemplate } };
const cronJob: JsonObject = {
  metadata: meta,
  spec: { schedule: "*/5 * * * *", jobTemplate: { spec: { template: jobTemplate } } },
};

interface Row {
  readonly name: string;
  readonly kind: string;
  readonly given: JsonObject;
  readonly errors: readonly string[];
}

const rows: readonly Row[] = [
  { name: "a small deployment is good", kind: "apps/deployments", given: deployment, errors: [] },
  { name: "a small replica set is good", kind: "apps/replicasets", given: deployment, errors: [] },
  { name: "a small daemon set is good", kind: "apps/daemonsets", given: deployment, errors: [] },
  { name: "a small stateful set is good", kind: "apps/statefulsets", given: statefulSet, errors: [] },
  { name: "a small job is good", kind: "batch/jobs", given: job, errors: [] },
  { name: "a small cron job is good", kind: "batch/cronjobs", given: cronJob, errors: [] },
  {
    name: "a deployment without a selector",
    kind: "apps/deployments",
    given: withPath(deployment, "spec.selector", undefined),
    errors: ["spec.selector: Required value"],
  },
  {
    name: "a stateful set whose pods mount a claim, and one that is nowhere",
    kind: "apps/statefulsets",
    given: withPath(
      withPath(statefulSet, "spec.volumeClaimTemplates", [
        {
          metadata: { name: "data" },
          spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } },
        },
        { metadata: { name: "logs" }, spec: { accessModes: ["ReadWriteOnce"] } },
      ]),
      "spec.template.spec.containers.0.volumeMounts",
      [
        { name: "data", mountPath: "/data" },
        { name: "gone", mountPath: "/gone" },
      ],
    ),
    errors: [
      'spec.template.spec.containers[0].volumeMounts[1].name: Not found: "gone"',
      "spec.volumeClaimTemplates[1].spec.resources[storage]: Required value",
    ],
  },
  {
    name: "a daemon set with an unknown strategy",
    kind: "apps/daemonsets",
    given: withPath(withPath(deployment, "spec.updateStrategy", { type: "Later" }), "spec.revisionHistoryLimit", -1),
    errors: [
      'spec.updateStrategy: Unsupported value: {"type":"Later"}: supported values: "RollingUpdate", "OnDelete"',
      "spec.revisionHistoryLimit: Invalid value: -1: must be greater than or equal to 0",
    ],
  },
  {
    name: "a deployment that selects everything",
    kind: "apps/deployments",
    given: withPath(deployment, "spec.selector", {}),
    errors: ["spec.selector: Invalid value: {}: empty selector is invalid for deployment"],
  },
  {
    name: "a deployment that selects other pods than its own",
    kind: "apps/deployments",
    given: withPath(deployment, "spec.selector.matchLabels.app", "db"),
    errors: [
      'spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`',
    ],
  },
  {
    name: "a deployment that cannot move",
    kind: "apps/deployments",
    given: withPath(deployment, "spec.strategy", {
      type: "RollingUpdate",
      rollingUpdate: { maxUnavailable: 0, maxSurge: "0%" },
    }),
    errors: ["spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0"],
  },
  {
    name: "a deployment that recreates and rolls",
    kind: "apps/deployments",
    given: withPath(deployment, "spec.strategy", { type: "Recreate", rollingUpdate: {} }),
    errors: ["spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'"],
  },
  {
    name: "a deployment with negative numbers and too short a deadline",
    kind: "apps/deployments",
    given: withPath(withPath(deployment, "spec.replicas", -1), "spec.progressDeadlineSeconds", 0),
    errors: [
      "spec.replicas: Invalid value: -1: must be greater than or equal to 0",
      "spec.progressDeadlineSeconds: Invalid value: 0: must be greater than minReadySeconds",
    ],
  },
  {
    name: "a deployment whose pods end",
    kind: "apps/deployments",
    given: withPath(deployment, "spec.template.spec.restartPolicy", "Never"),
    errors: ['spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"'],
  },
  {
    name: "what is wrong with the template has the template's path",
    kind: "apps/replicasets",
    given: withPath(deployment, "spec.template.spec.containers.0.image", ""),
    errors: ["spec.template.spec.containers[0].image: Required value"],
  },
  {
    name: "a daemon set that surges and lacks at once",
    kind: "apps/daemonsets",
    given: withPath(deployment, "spec.updateStrategy", {
      type: "RollingUpdate",
      rollingUpdate: { maxUnavailable: 1, maxSurge: 1 },
    }),
    errors: [
      "spec.updateStrategy.rollingUpdate.maxSurge: Invalid value: 1: may not be set when maxUnavailable is non-zero",
    ],
  },
  {
    name: "a stateful set in no order",
    kind: "apps/statefulsets",
    given: withPath(statefulSet, "spec.podManagementPolicy", "Random"),
    errors: ["spec.podManagementPolicy: Invalid value: \"Random\": must be 'OrderedReady' or 'Parallel'"],
  },
  {
    name: "a job whose pods run for ever",
    kind: "batch/jobs",
    given: withPath(job, "spec.template.spec.restartPolicy", "Always"),
    errors: ['spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"'],
  },
  {
    name: "an indexed job without a number of indexes",
    kind: "batch/jobs",
    given: withPath(withPath(job, "spec.completionMode", "Indexed"), "spec.parallelism", 2),
    errors: ["spec.completions: Required value: when completion mode is Indexed"],
  },
  {
    name: "a job with labels of another job",
    kind: "batch/jobs",
    given: withPath(job, "spec.template.metadata", { labels: { "controller-uid": "other" } }),
    errors: [
      'spec.template.metadata.labels[controller-uid]: Invalid value: {"controller-uid":"other","job-name":"web","batch.kubernetes.io/controller-uid":"u-1","batch.kubernetes.io/job-name":"web"}: must be \'u-1\'',
    ],
  },
  {
    name: "a cron job without a schedule, with an unknown zone and policy",
    kind: "batch/cronjobs",
    given: withPath(
      withPath(withPath(cronJob, "spec.schedule", ""), "spec.timeZone", "Mars/Base"),
      "spec.concurrencyPolicy",
      "Queue",
    ),
    errors: [
      "spec.schedule: Required value",
      'spec.concurrencyPolicy: Unsupported value: "Queue": supported values: "Allow", "Forbid", "Replace"',
      'spec.timeZone: Invalid value: "Mars/Base": unknown time zone Mars/Base',
    ],
  },
  {
    name: "a cron job with a name that its jobs cannot lengthen",
    kind: "batch/cronjobs",
    given: withPath(cronJob, "metadata.name", "x".repeat(53)),
    errors: [`metadata.name: Invalid value: "${"x".repeat(53)}": must be no more than 52 characters`],
  },
];

describe("creating workloads", () => {
  it.each(rows)("$name", ({ kind, given, errors }) => {
    expect(created(kind, given).errors).toEqual(errors);
  });

  it("a job selects its pods by its uid", () => {
    const { object } = created("batch/jobs", job);
    expect(object).toMatchObject({
      spec: {
        selector: { matchLabels: { "batch.kubernetes.io/controller-uid": "u-1" } },
        template: {
          metadata: {
            labels: {
              "batch.kubernetes.io/controller-uid": "u-1",
              "batch.kubernetes.io/job-name": "web",
              "controller-uid": "u-1",
              "job-name": "web",
            },
          },
        },
      },
      status: {},
    });
  });

  it.each([
    ["apps/deployments", {}],
    ["apps/replicasets", { replicas: 0 }],
    ["apps/statefulsets", { replicas: 0, availableReplicas: 0 }],
  ])("%s start with a status of their own", (kind, status) => {
    const { object } = created(kind, withPath(deployment, "status", { replicas: 9 }));
    expect(object["status"]).toEqual(status);
  });
});

describe("updating workloads", () => {
  it.each(["apps/deployments", "apps/replicasets", "apps/daemonsets"])("%s keep their selector", (kind) => {
    const old = created(kind, deployment).object;
    const wider = { matchLabels: { app: "web" }, matchExpressions: [{ key: "app", operator: "Exists" }] };
    expect(updated(kind, withPath(old, "spec.selector", wider), old).errors).toEqual([
      'spec.selector: Invalid value: {"matchLabels":{"app":"web"},"matchExpressions":[{"key":"app","operator":"Exists"}]}: field is immutable',
    ]);
    expect(updated(kind, withPath(old, "spec.template.spec.containers.0.image", "nginx:2"), old).errors).toEqual([]);
  });

  it("a stateful set keeps what its pods' identity hangs on", () => {
    const old = created("apps/statefulsets", statefulSet).object;
    expect(updated("apps/statefulsets", withPath(old, "spec.replicas", 3), old).errors).toEqual([]);
    expect(updated("apps/statefulsets", withPath(old, "spec.serviceName", "other"), old).errors).toEqual([
      "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
    ]);
  });

  it("a job keeps its template, unless it has not started", () => {
    const old = created("batch/jobs", job).object;
    const moved = withPath(old, "spec.template.spec.nodeSelector", { disk: "ssd" });
    const { errors } = updated("batch/jobs", moved, old);
    expect(errors).toHaveLength(1);
    expect(errors[0]).toMatch(/^spec\.template: Invalid value: .*: field is immutable$/);
    const waiting = withPath(old, "spec.suspend", true);
    expect(updated("batch/jobs", withPath(moved, "spec.suspend", false), waiting).errors).toEqual([]);
  });

  it("only an indexed job changes completions, together with parallelism", () => {
    const old = created("batch/jobs", job).object;
    expect(updated("batch/jobs", withPath(old, "spec.completions", 2), old).errors).toEqual([
      "spec.completions: Invalid value: 2: field is immutable",
    ]);
    const indexed = withPath(old, "spec.completionMode", "Indexed");
    const both = withPath(withPath(indexed, "spec.completions", 2), "spec.parallelism", 2);
    expect(updated("batch/jobs", both, indexed).errors).toEqual([]);
  });

  it("annotations of a deployment are a new generation of it", () => {
    const old = withPath(created("apps/deployments", deployment).object, "metadata.generation", 4);
    const noted = withPath(old, "metadata.annotations", { why: "because" });
    expect(updated("apps/deployments", noted, old).object).toHaveProperty("metadata.generation", 5);
    expect(updated("apps/deployments", noted, old, "status").object).toHaveProperty("metadata.generation", 4);
    expect(updated("apps/deployments", withPath(old, "metadata.labels", { a: "b" }), old).object).toHaveProperty(
      "metadata.generation",
      4,
    );
  });

  it("collisions of a deployment are never taken back", () => {
    const old = { status: { collisionCount: 2 } };
    expect(updated("apps/deployments", { status: { collisionCount: 1 } }, old, "status").errors).toEqual([
      "status.collisionCount: Invalid value: 1: cannot be decremented",
    ]);
  });
});

describe("cron schedules", () => {
  it.each([
    "* * * * *",
    "0 0 1 1 0",
    "*/15 0-6,22 * jan-mar mon-fri",
    "@hourly",
    "@every 1h30m",
    "5/10 * ? * *",
    "TZ=UTC 0 0 * * *",
  ])("%s is good", (schedule) => {
    expect(cronScheduleError(schedule)).toBeUndefined();
  });

  it.each([
    ["* * * *", "expected exactly 5 fields, found 4: [* * * *]"],
    ["60 * * * *", "end of range (60) above maximum (59): 60"],
    ["* * 0 * *", "beginning of range (0) below minimum (1): 0"],
    ["* * * * 7", "end of range (7) above maximum (6): 7"],
    ["5-3 * * * *", "beginning of range (5) beyond end of range (3): 5-3"],
    ["*/0 * * * *", "step of range should be a positive number: */0"],
    ["a * * * *", 'failed to parse int from a: strconv.Atoi: parsing "a": invalid syntax'],
    ["@fortnightly", "unrecognized descriptor: @fortnightly"],
    ["1-2-3 * * * *", "too many hyphens: 1-2-3"],
  ])("%s is not: %s", (schedule, error) => {
    expect(cronScheduleError(schedule)).toBe(error);
  });
});

describe("the template generation of daemon sets", () => {
  const key = "deprecated.daemonset.template.generation";
  const set = { metadata: { name: "d", namespace: "default" }, ...deployment };
  const generationOf = (object: JsonObject): unknown =>
    (object as { metadata?: { annotations?: { [name: string]: unknown } } }).metadata?.annotations?.[key];

  it("begins with 1, grows with the template and is nobody's to set", () => {
    const { object } = created("apps/daemonsets", set);
    expect(generationOf(object)).toBe("1");
    const other = withPath(object, "spec.template.spec.containers.0.image", "other:2");
    const changed = updated("apps/daemonsets", other, object).object;
    expect(generationOf(changed)).toBe("2");
    const forged = withPath(
      withPath(changed, "metadata.annotations", { [key]: "9", a: "b" }),
      "spec.minReadySeconds",
      3,
    );
    expect(generationOf(updated("apps/daemonsets", forged, changed).object)).toBe("2");
    expect(generationOf(updated("apps/daemonsets", withPath(forged, "metadata.annotations", {}), changed).object)).toBe(
      "2",
    );
  });
});
