import { describe, expect, it } from "vitest";
import type { JsonObject } from "../../object.js";
import { created, strategyFor, withPath } from "../testing.js";

const pod: JsonObject = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "web", namespace: "default" },
  spec: { containers: [{ name: "c", image: "nginx:1" }] },
};
const container = "spec.containers.0";

type Change = readonly [path: string, value: unknown];
interface Row {
  readonly name: string;
  readonly changes: readonly Change[];
  readonly errors: readonly string[];
}

function changed(base: JsonObject, changes: readonly Change[]): JsonObject {
  return changes.reduce((object, [path, value]) => withPath(object, path, value), base);
}

const rows: readonly Row[] = [
  { name: "a small pod is good", changes: [], errors: [] },
  { name: "no containers", changes: [["spec.containers", []]], errors: ["spec.containers: Required value"] },
  {
    name: "no image",
    changes: [[`${container}.image`, undefined]],
    errors: ["spec.containers[0].image: Required value"],
  },
  {
    name: "image with a space around it",
    changes: [[`${container}.image`, " nginx"]],
    errors: ['spec.containers[0].image: Invalid value: " nginx": must not have leading or trailing whitespace'],
  },
  {
    name: "name of a container with dots",
    changes: [[`${container}.name`, "a.b"]],
    errors: ['spec.containers[0].name: Invalid value: "a.b": must not contain dots'],
  },
  {
    name: "two containers of one name",
    changes: [["spec.containers.1", { name: "c", image: "x:1" }]],
    errors: ['spec.containers[1].name: Duplicate value: "c"'],
  },
  {
    name: "an init container with the name of a container",
    changes: [["spec.initContainers", [{ name: "c", image: "x:1" }]]],
    errors: ['spec.initContainers[0].name: Duplicate value: "c"'],
  },
  {
    name: "a probe of an init container that is no sidecar",
    changes: [["spec.initContainers", [{ name: "i", image: "x:1", livenessProbe: { exec: { command: ["true"] } } }]]],
    errors: [
      "spec.initContainers[0].livenessProbe: Forbidden: may not be set for init containers without restartPolicy=Always",
    ],
  },
  {
    name: "a sidecar with a probe",
    changes: [
      [
        "spec.initContainers",
        [{ name: "i", image: "x:1", restartPolicy: "Always", readinessProbe: { tcpSocket: { port: 1 } } }],
      ],
    ],
    errors: [],
  },
  {
    name: "unknown restart policy",
    changes: [["spec.restartPolicy", "Sometimes"]],
    errors: ['spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never"'],
  },
  {
    name: "unknown pull policy",
    changes: [[`${container}.imagePullPolicy`, "always"]],
    errors: [
      'spec.containers[0].imagePullPolicy: Unsupported value: "always": supported values: "Always", "IfNotPresent", "Never"',
    ],
  },
  {
    name: "port out of range, without a number, with a bad protocol",
    changes: [[`${container}.ports`, [{ containerPort: 65536 }, {}, { containerPort: 1, protocol: "tcp" }]]],
    errors: [
      "spec.containers[0].ports[0].containerPort: Invalid value: 65536: must be between 1 and 65535, inclusive",
      "spec.containers[0].ports[1].containerPort: Required value",
      'spec.containers[0].ports[2].protocol: Unsupported value: "tcp": supported values: "SCTP", "TCP", "UDP"',
    ],
  },
  {
    name: "one host port twice",
    changes: [
      [
        `${container}.ports`,
        [
          { containerPort: 80, hostPort: 80 },
          { containerPort: 81, hostPort: 80 },
        ],
      ],
    ],
    errors: ['spec.containers[0].ports[1].hostPort: Duplicate value: "TCP//80"'],
  },
  {
    name: "a host port other than the container's on the host's network",
    changes: [
      ["spec.hostNetwork", true],
      [`${container}.ports`, [{ containerPort: 80, hostPort: 81 }]],
    ],
    errors: [
      "spec.containers[0].ports[0].hostPort: Invalid value: 81: must match `containerPort` when `hostNetwork` is true",
    ],
  },
  {
    name: "env: no name, = in the name, two sources, value and source, unknown field",
    changes: [
      [
        `${container}.env`,
        [
          { value: "x" },
          { name: "a=b" },
          { name: "N", value: "x", valueFrom: { secretKeyRef: { name: "s", key: "k" } } },
          { name: "E", valueFrom: {} },
          { name: "F", valueFrom: { fieldRef: { fieldPath: "status.phase" } } },
          { name: "G", valueFrom: { fieldRef: { fieldPath: "spec.nope" } } },
          { name: "H", valueFrom: { fieldRef: { fieldPath: "metadata.labels['app']" } } },
        ],
      ],
    ],
    errors: [
      "spec.containers[0].env[0].name: Required value",
      "spec.containers[0].env[1].name: Invalid value: \"a=b\": a valid environment variable name must consist only of printable ASCII characters other than '='",
      'spec.containers[0].env[2].valueFrom: Invalid value: "": may not be specified when `value` is not empty',
      'spec.containers[0].env[3].valueFrom: Invalid value: "": must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`',
      'spec.containers[0].env[4].valueFrom.fieldRef.fieldPath: Unsupported value: "status.phase": supported values: "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName", "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"',
      'spec.containers[0].env[5].valueFrom.fieldRef.fieldPath: Invalid value: "spec.nope": error converting fieldPath: field label not supported: spec.nope',
    ],
  },
  {
    name: "mount of a volume that is not there, twice at one path",
    changes: [
      [
        `${container}.volumeMounts`,
        [
          { name: "v", mountPath: "/a" },
          { name: "e", mountPath: "/a", subPath: "../x" },
        ],
      ],
      ["spec.volumes", [{ name: "e" }]],
    ],
    errors: [
      'spec.containers[0].volumeMounts[0].name: Not found: "v"',
      'spec.containers[0].volumeMounts[1].mountPath: Invalid value: "/a": must be unique',
      "spec.containers[0].volumeMounts.subPath: Invalid value: \"../x\": must not contain '..'",
    ],
  },
  {
    name: "volumes: no name, two sources, twice the name, path with a backstep",
    changes: [
      [
        "spec.volumes",
        [
          { emptyDir: {} },
          { name: "a", emptyDir: {}, hostPath: { path: "/x" } },
          { name: "a", hostPath: { path: "/x/../y" } },
          { name: "s", secret: {} },
          { name: "b", emptyDir: {} },
          { name: "b", emptyDir: {} },
        ],
      ],
    ],
    errors: [
      "spec.volumes[0].name: Required value",
      "spec.volumes[1].hostPath: Forbidden: may not specify more than 1 volume type",
      "spec.volumes[2].hostPath.path: Invalid value: \"/x/../y\": must not contain '..'",
      "spec.volumes[3].secret.secretName: Required value",
      'spec.volumes[5].name: Duplicate value: "b"',
    ],
  },
  {
    name: "probe: no handler, two handlers, threshold of liveness",
    changes: [
      [`${container}.livenessProbe`, { exec: { command: ["x"] }, httpGet: { port: 1 }, successThreshold: 2 }],
      [`${container}.readinessProbe`, { periodSeconds: -1 }],
    ],
    errors: [
      "spec.containers[0].livenessProbe.httpGet: Forbidden: may not specify more than 1 handler type",
      "spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1",
      "spec.containers[0].readinessProbe: Required value: must specify a handler type",
      "spec.containers[0].readinessProbe.periodSeconds: Invalid value: -1: must be greater than or equal to 0",
    ],
  },
  {
    name: "resources: request over limit, negative, unknown, fraction of a device",
    changes: [
      [
        `${container}.resources`,
        {
          limits: { cpu: "1", memory: "-1", foo: "1", "example.com/gpu": "500m" },
          requests: { cpu: "2", memory: "-1", foo: "1", "example.com/gpu": "500m" },
        },
      ],
    ],
    errors: [
      'spec.containers[0].resources.limits[memory]: Invalid value: "-1": must be greater than or equal to 0',
      'spec.containers[0].resources.limits[foo]: Invalid value: "foo": must be a standard resource type or fully qualified',
      'spec.containers[0].resources.limits[foo]: Invalid value: "foo": must be a standard resource for containers',
      'spec.containers[0].resources.limits[example.com/gpu]: Invalid value: "500m": must be an integer',
      'spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1',
      'spec.containers[0].resources.requests[memory]: Invalid value: "-1": must be greater than or equal to 0',
      'spec.containers[0].resources.requests[foo]: Invalid value: "foo": must be a standard resource type or fully qualified',
      'spec.containers[0].resources.requests[foo]: Invalid value: "foo": must be a standard resource for containers',
      'spec.containers[0].resources.requests[example.com/gpu]: Invalid value: "500m": must be an integer',
    ],
  },
  {
    name: "a device's request without a limit",
    changes: [[`${container}.resources`, { requests: { "example.com/gpu": "1" } }]],
    errors: ["spec.containers[0].resources.limits: Required value: Limit must be set for non overcommitable resources"],
  },
  {
    name: "tolerations: key needed, seconds without NoExecute, value with Exists",
    changes: [
      [
        "spec.tolerations",
        [
          { operator: "Equal", value: "x" },
          { key: "k", operator: "Exists", tolerationSeconds: 1 },
          { key: "k", operator: "Exists", value: "x" },
          { key: "k", operator: "Like" },
        ],
      ],
    ],
    errors: [
      'spec.tolerations[0].operator: Invalid value: "Equal": operator must be Exists when `key` is empty, which means "match all values and all keys"',
      "spec.tolerations[1].effect: Invalid value: \"\": effect must be 'NoExecute' when `tolerationSeconds` is set",
      "spec.tolerations[2].operator: Invalid value: \"x\": value must be empty when `operator` is 'Exists'",
      'spec.tolerations[3].operator: Unsupported value: "Like": supported values: "Equal", "Exists"',
    ],
  },
  {
    name: "affinity: no term, In without values, weight, no topology key",
    changes: [
      [
        "spec.affinity",
        {
          nodeAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: {
              nodeSelectorTerms: [{ matchExpressions: [{ key: "a", operator: "In" }] }],
            },
            preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 101, preference: {} }],
          },
          podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ labelSelector: {} }] },
        },
      ],
    ],
    errors: [
      "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'",
      "spec.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight: Invalid value: 101: must be in the range 1-100",
      "spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey: Required value: can not be empty",
      'spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey: Invalid value: "": name part must be non-empty',
      expect.stringContaining('topologyKey: Invalid value: "": name part must consist of'),
    ],
  },
  {
    name: "spreading: skew, key, action, domains without DoNotSchedule",
    changes: [
      [
        "spec.topologySpreadConstraints",
        [
          { maxSkew: 0, whenUnsatisfiable: "Never" },
          { maxSkew: 1, topologyKey: "zone", whenUnsatisfiable: "ScheduleAnyway", minDomains: 2 },
        ],
      ],
    ],
    errors: [
      "spec.topologySpreadConstraints[0].maxSkew: Invalid value: 0: must be greater than zero",
      "spec.topologySpreadConstraints[0].topologyKey: Required value: can not be empty",
      'spec.topologySpreadConstraints[0].whenUnsatisfiable: Unsupported value: "Never": supported values: "DoNotSchedule", "ScheduleAnyway"',
      "spec.topologySpreadConstraints[1].minDomains: Invalid value: 2: can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ScheduleAnyway",
    ],
  },
  {
    name: "security: ids, privileges that contradict each other, seccomp file",
    changes: [
      ["spec.securityContext", { runAsUser: -1, seccompProfile: { type: "Localhost" } }],
      [`${container}.securityContext`, { privileged: true, allowPrivilegeEscalation: false }],
    ],
    errors: [
      'spec.containers[0].securityContext: Invalid value: {"privileged":true,"allowPrivilegeEscalation":false}: cannot set `allowPrivilegeEscalation` to false and `privileged` to true',
      "spec.securityContext.runAsUser: Invalid value: -1: must be between 0 and 2147483647, inclusive",
      "spec.securityContext.seccompProfile.localhostProfile: Required value: must be set when seccomp type is Localhost",
    ],
  },
  {
    name: "the host's user namespace is needed for the host's other namespaces",
    changes: [
      ["spec.hostUsers", false],
      ["spec.hostPID", true],
    ],
    errors: ["spec.HostPID: Forbidden: when `pod.Spec.HostUsers` is false"],
  },
  {
    name: "dnsPolicy None wants a name server",
    changes: [["spec.dnsPolicy", "None"]],
    errors: ["spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None"],
  },
  {
    name: "ephemeral containers come later, and a gated pod has no node",
    changes: [
      ["spec.ephemeralContainers", [{ name: "e", image: "x:1" }]],
      ["spec.schedulingGates", [{ name: "a.b/c" }]],
      ["spec.nodeName", "n"],
    ],
    errors: [
      "spec.ephemeralContainers: Forbidden: cannot be set on create",
      "spec.nodeName: Forbidden: cannot be set until all schedulingGates have been cleared",
    ],
  },
];

describe("creating a pod", () => {
  it.each(rows)("$name", ({ changes, errors }) => {
    expect(created("/pods", changed(pod, changes)).errors).toEqual(errors);
  });

  it.each([
    ["BestEffort", {}],
    ["Burstable", { requests: { cpu: "1" } }],
    ["Guaranteed", { limits: { cpu: "1", memory: "1Gi" } }],
    ["Burstable", { limits: { cpu: "1", memory: "1Gi" }, requests: { cpu: "500m" } }],
    ["Guaranteed", { limits: { cpu: "1", memory: "1Gi" }, requests: { cpu: "1000m" } }],
  ])("starts Pending, and is %s with %j", (qosClass, resources) => {
    const { object } = created("/pods", withPath(pod, `${container}.resources`, resources));
    expect(object["status"]).toEqual({ phase: "Pending", qosClass });
  });

  it("says that a gated pod waits", () => {
    const { object } = created("/pods", withPath(pod, "spec.schedulingGates", [{ name: "a.b/c" }]));
    expect(object).toMatchObject({
      status: { conditions: [{ type: "PodScheduled", status: "False", reason: "SchedulingGated" }] },
    });
  });

  it("requests of a whole pod are its containers' together, then its limits", () => {
    const given = changed(pod, [
      ["spec.resources", { limits: { cpu: "4", memory: "1Gi" } }],
      [`${container}.resources`, { requests: { cpu: "500m" } }],
      ["spec.containers.1", { name: "d", image: "x:1", resources: { requests: { cpu: "1" } } }],
    ]);
    expect(created("/pods", given).object).toMatchObject({
      spec: { resources: { requests: { cpu: "1500m", memory: "1Gi" } } },
    });
  });

  it("turns matchLabelKeys into requirements on the pod's own labels", () => {
    const given = changed(pod, [
      ["metadata.labels", { app: "web", "pod-template-hash": "h" }],
      [
        "spec.topologySpreadConstraints",
        [
          {
            maxSkew: 1,
            topologyKey: "zone",
            whenUnsatisfiable: "DoNotSchedule",
            labelSelector: { matchLabels: { app: "web" } },
            matchLabelKeys: ["pod-template-hash", "absent"],
          },
        ],
      ],
    ]);
    expect(created("/pods", given).object).toMatchObject({
      spec: {
        topologySpreadConstraints: [
          { labelSelector: { matchExpressions: [{ key: "pod-template-hash", operator: "In", values: ["h"] }] } },
        ],
      },
    });
  });
});

describe("deleting a pod", () => {
  const running = { spec: { nodeName: "n", terminationGracePeriodSeconds: 7 }, status: { phase: "Running" } };
  it.each([
    ["what the spec says", running, undefined, 7],
    ["what the request says", running, 3, 3],
    ["at once when asked", running, 0, 0],
    ["a second for less than nothing", running, -1, 1],
    ["at once where it runs nowhere", { spec: {}, status: { phase: "Pending" } }, 30, 0],
    ["at once when it is over", { ...running, status: { phase: "Succeeded" } }, 30, 0],
  ])("takes %s", (_name, object, requested, seconds) => {
    expect(strategyFor("/pods").gracePeriodSeconds?.(object, requested)).toBe(seconds);
  });
});

describe("warnings of a pod", () => {
  it.each([
    [
      "an old label of nodes",
      ["spec.nodeSelector", { "beta.kubernetes.io/os": "linux" }],
      'spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use "kubernetes.io/os" instead',
    ],
    [
      "a variable that hides another",
      [
        "spec.containers.0.env",
        [
          { name: "A", value: "1" },
          { name: "A", value: "2" },
        ],
      ],
      'spec.containers[0].env[1]: hides previous definition of "A", which may be dropped when using apply',
    ],
  ] as const)("%s", (_name, [path, value], warning) => {
    expect(strategyFor("/pods").warnings?.(withPath(pod, path, value), undefined)).toEqual([warning]);
  });
});
