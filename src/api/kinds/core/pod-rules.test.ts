import { describe, expect, it } from "vitest";
import type { JsonObject } from "../../object.js";
import { created, strategyFor, updated, withPath } from "../testing.js";

const pod: JsonObject = {
  metadata: { name: "web", namespace: "default" },
  spec: { containers: [{ name: "c", image: "c:1" }] },
};
const container = "spec.containers.0";

function changed(changes: { readonly [path: string]: unknown }, base: JsonObject = pod): JsonObject {
  return Object.entries(changes).reduce((object, [path, value]) => withPath(object, path, value), base);
}

interface Row {
  readonly name: string;
  readonly changes: { readonly [path: string]: unknown };
  readonly errors: readonly string[];
}

const rows: readonly Row[] = [
  {
    name: "labels of SELinux by mounting, a feature that is off",
    changes: { "spec.securityContext": { seLinuxChangePolicy: "MountOption" } },
    errors: [
      'spec.securityContext.seLinuxChangePolicy: Unsupported value: "MountOption": supported values: "Recursive"',
    ],
  },
  {
    name: "a mount and a device of one volume at one place",
    changes: {
      "spec.volumes": [{ name: "v", persistentVolumeClaim: { claimName: "c" } }],
      [`${container}.volumeMounts`]: [{ name: "v", mountPath: "/v" }],
      [`${container}.volumeDevices`]: [{ name: "v", devicePath: "/v" }],
    },
    errors: [
      'spec.containers[0].volumeMounts[0].name: Invalid value: "v": must not already exist in volumeDevices',
      'spec.containers[0].volumeMounts[0].mountPath: Invalid value: "/v": must not already exist as a path in volumeDevices',
      'spec.containers[0].volumeDevices[0].name: Invalid value: "v": must not already exist in volumeMounts',
      'spec.containers[0].volumeDevices[0].devicePath: Invalid value: "/v": must not already exist as a path in volumeMounts',
    ],
  },
  {
    name: "a hook that sleeps longer than the pod may take to end",
    changes: { [`${container}.lifecycle`]: { preStop: { sleep: { seconds: 31 } } } },
    errors: [
      "spec.containers[0].lifecycle.preStop.sleep: Invalid value: 31: must be non-negative and less than terminationGracePeriodSeconds (30)",
    ],
  },
  {
    name: "a divisor that is no unit, and a resource that is none",
    changes: {
      [`${container}.env`]: [
        { name: "A", valueFrom: { resourceFieldRef: { resource: "limits.cpu", divisor: "2" } } },
        { name: "B", valueFrom: { resourceFieldRef: { resource: "limits.gpu" } } },
      ],
    },
    errors: [
      'spec.containers[0].env[0].valueFrom.resourceFieldRef.divisor: Invalid value: "limits.cpu": only divisor\'s values 1m and 1 are supported with the cpu resource',
      'spec.containers[0].env[1].valueFrom.resourceFieldRef.resource: Unsupported value: "limits.gpu": supported values: "limits.cpu", "limits.ephemeral-storage", "limits.memory", "requests.cpu", "requests.ephemeral-storage", "requests.memory"',
    ],
  },
  {
    name: "variables from nowhere, and a key of a secret that has no name of one",
    changes: {
      [`${container}.envFrom`]: [{}],
      [`${container}.env`]: [{ name: "A", valueFrom: { secretKeyRef: { name: "S", key: "k" } } }],
    },
    errors: [
      expect.stringMatching(
        /^spec\.containers\[0\]\.env\[0\]\.valueFrom\.secretKeyRef\.name: Invalid value: "S": a lowe/,
      ),
      'spec.containers[0].envFrom: Invalid value: "": must specify one of: `configMapRef` or `secretRef`',
    ],
  },
  {
    name: "huge pages that are no multiple of their size, with nothing beside them",
    changes: { [`${container}.resources`]: { limits: { "hugepages-2Mi": "3Mi" } } },
    errors: [
      'spec.containers[0].resources.limits[hugepages-2Mi]: Invalid value: "3Mi": 3Mi is not positive integer multiple of hugepages-2Mi',
      'spec.containers[0].resources.requests[hugepages-2Mi]: Invalid value: "3Mi": 3Mi is not positive integer multiple of hugepages-2Mi',
      "spec.containers[0].resources: Forbidden: HugePages require cpu or memory",
    ],
  },
  {
    name: "a claim that the pod does not have, and one that it has twice",
    changes: {
      "spec.resourceClaims": [{ name: "gpu", resourceClaimName: "x" }],
      [`${container}.resources`]: { claims: [{ name: "nic" }, { name: "gpu", request: "a" }, { name: "gpu" }] },
    },
    errors: [
      'spec.containers[0].resources.claims[0]: Not found: "nic": must be one of the names in pod.spec.resourceClaims: gpu',
      'spec.containers[0].resources.claims[2]: Duplicate value: "gpu"',
    ],
  },
  {
    name: "a pod that gets less than its containers ask for",
    changes: {
      "spec.resources": { requests: { cpu: "1" }, limits: { memory: "1Gi" } },
      [`${container}.resources`]: { requests: { cpu: "2" }, limits: { memory: "2Gi" } },
    },
    errors: [
      'spec.resources.requests: Invalid value: "2Gi": must be less than or equal to memory limit of 1Gi',
      'spec.resources.requests[cpu]: Invalid value: "1": must be greater than or equal to aggregate container requests of 2',
      'spec.resources.containers[0][memory].limits: Invalid value: "2Gi": must be less than or equal to pod limits of 1Gi',
    ],
  },
  {
    name: "what a pod as a whole cannot ask for",
    changes: { "spec.resources": { requests: { "ephemeral-storage": "1Gi" } } },
    errors: [
      'spec.resources.requests[ephemeral-storage]: Unsupported value: "ephemeral-storage": supported values: "cpu", "hugepages-", "memory"',
    ],
  },
  {
    name: "values of nodes that no label can have, but where they are only preferred",
    changes: {
      "spec.affinity.nodeAffinity": {
        requiredDuringSchedulingIgnoredDuringExecution: {
          nodeSelectorTerms: [{ matchExpressions: [{ key: "a", operator: "In", values: ["-"] }] }],
        },
        preferredDuringSchedulingIgnoredDuringExecution: [
          { weight: 1, preference: { matchExpressions: [{ key: "a", operator: "In", values: ["-"] }] } },
        ],
      },
    },
    errors: [
      expect.stringMatching(
        /nodeSelectorTerms\[0\]\.matchExpressions\[0\]\.values\[0\]: Invalid value: "-": a valid label/,
      ),
    ],
  },
  {
    name: "a key of labels that the selector has already",
    changes: {
      "metadata.labels": { app: "web" },
      "spec.topologySpreadConstraints": [
        {
          maxSkew: 1,
          topologyKey: "zone",
          whenUnsatisfiable: "DoNotSchedule",
          labelSelector: { matchLabels: { app: "web" } },
          matchLabelKeys: ["app"],
        },
      ],
    },
    errors: [
      'spec.topologySpreadConstraints[0].matchLabelKeys[0]: Invalid value: "app": exists in both matchLabelKeys and labelSelector',
    ],
  },
  {
    name: "no name servers of its own where there are no others",
    changes: { "spec.dnsPolicy": "None", "spec.dnsConfig": { searches: ["A"] } },
    errors: [
      "spec.dnsConfig.nameservers: Required value: must provide at least one DNS nameserver when `dnsPolicy` is None",
    ],
  },
  {
    name: "a name server in octal, and one of the other family in disguise",
    changes: { "spec.dnsConfig": { nameservers: ["010.0.0.1", "::ffff:10.0.0.1"] } },
    errors: [
      'spec.dnsConfig.nameservers[0]: Invalid value: "010.0.0.1": must not have leading 0s',
      'spec.dnsConfig.nameservers[1]: Invalid value: "::ffff:10.0.0.1": must not be an IPv4-mapped IPv6 address',
    ],
  },
  {
    name: "Linux' options for Windows",
    changes: {
      "spec.os": { name: "windows" },
      "spec.securityContext": { fsGroup: 1 },
      [`${container}.securityContext`]: { capabilities: {}, windowsOptions: { runAsUserName: "a\\b\\c" } },
    },
    errors: [
      'spec.containers[0].securityContext.windowsOptions.runAsUserName: Invalid value: "a\\\\b\\\\c": runAsUserName cannot contain more than one backslash',
      "spec.securityContext.fsGroup: Forbidden: cannot be set for a windows pod",
      "spec.containers[0].securityContext.capabilities: Forbidden: cannot be set for a windows pod",
    ],
  },
  {
    name: "processes of the host beside others, off its network",
    changes: {
      "spec.containers.1": { name: "d", image: "d:1", securityContext: { windowsOptions: { hostProcess: true } } },
    },
    errors: [
      'spec: Invalid value: "": If pod contains any hostProcess containers then all containers must be HostProcess containers',
      "spec.hostNetwork: Invalid value: false: hostNetwork must be true if pod contains any hostProcess containers",
    ],
  },
  {
    name: "annotations that name no container and no profile",
    changes: {
      "metadata.annotations": {
        "container.apparmor.security.beta.kubernetes.io/x": "strict",
        "seccomp.security.alpha.kubernetes.io/pod": "none",
      },
    },
    errors: [
      'metadata.annotations.seccomp.security.alpha.kubernetes.io/pod: Invalid value: "none": must be a valid seccomp profile',
      'metadata.annotations[container.apparmor.security.beta.kubernetes.io/x]: Invalid value: "x": container not found',
      'metadata.annotations[container.apparmor.security.beta.kubernetes.io/x]: Invalid value: "strict": invalid AppArmor profile name: "strict"',
    ],
  },
  {
    name: "ways to resize that are none",
    changes: {
      "spec.restartPolicy": "Never",
      [`${container}.resizePolicy`]: [
        { resourceName: "cpu", restartPolicy: "RestartContainer" },
        { resourceName: "disk", restartPolicy: "NotRequired" },
        { resourceName: "cpu", restartPolicy: "NotRequired" },
      ],
    },
    errors: [
      "spec.containers[0].resizePolicy: Invalid value: \"RestartContainer\": must be 'NotRequired' when `restartPolicy` is 'Never'",
      'spec.containers[0].resizePolicy: Unsupported value: "disk": supported values: "cpu", "memory"',
      'spec.containers[0].resizePolicy[2]: Duplicate value: "cpu"',
    ],
  },
];

describe("rules of pods", () => {
  it.each(rows)("$name", ({ changes, errors }) => {
    expect(created("/pods", changed(changes)).errors).toEqual(errors);
  });

  it("a template may have a space around an image, and leave out ports of the host", () => {
    const labels = { app: "web" };
    const spec = { containers: [{ name: "c", image: " c:1", ports: [{ containerPort: 80 }] }], hostNetwork: true };
    const template = { metadata: { labels }, spec };
    const set = { metadata: { name: "web", namespace: "d" }, spec: { selector: { matchLabels: labels }, template } };
    expect(created("apps/replicasets", set as unknown as JsonObject).errors).toEqual([]);
  });
});

describe("warnings about pods", () => {
  interface Warned {
    readonly name: string;
    readonly changes: Row["changes"];
    readonly warnings: readonly string[];
  }
  const warned: readonly Warned[] = [
    {
      name: "labels with new names",
      changes: { "spec.nodeSelector": { "failure-domain.beta.kubernetes.io/zone": "a" } },
      warnings: [
        'spec.nodeSelector[failure-domain.beta.kubernetes.io/zone]: deprecated since v1.17; use "topology.kubernetes.io/zone" instead',
      ],
    },
    {
      name: "selectors that select nothing",
      changes: {
        "spec.topologySpreadConstraints": [{ maxSkew: 1, topologyKey: "z", whenUnsatisfiable: "DoNotSchedule" }],
        "spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution": [{ topologyKey: "z" }],
      },
      warnings: [
        "spec.topologySpreadConstraints[0].labelSelector: a null labelSelector results in matching no pod",
        "spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].labelSelector: a null labelSelector results in matching no pod",
      ],
    },
    {
      name: "secrets twice and without a name",
      changes: { "spec.imagePullSecrets": [{ name: "a" }, { name: "a" }, {}] },
      warnings: [
        'spec.imagePullSecrets[1].name: duplicate name "a"',
        'spec.imagePullSecrets[2].name: invalid empty name ""',
      ],
    },
    {
      name: "milli-bytes",
      changes: { [`${container}.resources`]: { limits: { memory: "1500m" } } },
      warnings: [
        'spec.containers[0].resources.limits[memory]: fractional byte value "1500m" is invalid, must be an integer',
        'spec.containers[0].resources.requests[memory]: fractional byte value "1500m" is invalid, must be an integer',
      ],
    },
    {
      name: "ports that overlap, and an address without its port",
      changes: {
        [`${container}.ports`]: [
          { containerPort: 80, hostPort: 80 },
          { containerPort: 80, hostIP: "10.0.0.1" },
        ],
      },
      warnings: [
        "spec.containers[0].ports[1]: hostIP set without hostPort: {Name: HostPort:0 ContainerPort:80 Protocol:TCP HostIP:10.0.0.1}",
        "spec.containers[0].ports[1]: overlapping port definition with spec.containers[0].ports[0]",
      ],
    },
    {
      name: "an address in a longer form than need be",
      changes: { "spec.dnsConfig": { nameservers: ["2001:DB8:0::1"] } },
      warnings: [
        'spec.dnsConfig.nameservers[0]: IPv6 address "2001:DB8:0::1" should be in RFC 5952 canonical format ("2001:db8::1")',
      ],
    },
  ];

  it.each(warned)("$name", ({ changes, warnings }) => {
    const { object, errors } = created("/pods", changed(changes));
    expect(errors).toEqual([]);
    expect(strategyFor("/pods").warnings?.(object, undefined)).toEqual(warnings);
  });
});

describe("the status of a pod", () => {
  const ended = { name: "c", state: { terminated: { exitCode: 1 } } };
  const running = { name: "c", state: { running: {} } };
  const old = changed({ "spec.restartPolicy": "Never" }, created("/pods", pod).object);

  it.each([
    { name: "runs again", changes: {}, errors: 1 },
    {
      name: "runs again under a policy of its own",
      changes: { [`${container}.restartPolicy`]: "OnFailure" },
      errors: 0,
    },
    {
      name: "runs again by a rule of its own",
      changes: {
        [`${container}.restartPolicyRules`]: [{ action: "Restart", exitCodes: { operator: "In", values: [1] } }],
      },
      errors: 0,
    },
    { name: "runs again in a pod whose containers do", changes: { "spec.restartPolicy": "Always" }, errors: 0 },
  ])("a container that has ended $name: $errors errors", ({ changes, errors }) => {
    const before = withPath(changed(changes, old), "status.containerStatuses", [ended]);
    const after = withPath(before, "status.containerStatuses", [running]);
    expect(updated("/pods", after, before, "status").errors).toHaveLength(errors);
  });

  it("has addresses of two families at most, and claims that the spec has", () => {
    const status = {
      podIPs: [{ ip: "10.0.0.1" }, { ip: "10.0.0.2" }],
      hostIP: "10.1.0.1",
      hostIPs: [{ ip: "10.1.0.2" }],
      resourceClaimStatuses: [{ name: "gpu" }],
      qosClass: "BestEffort",
    };
    expect(updated("/pods", withPath(old, "status", status), old, "status").errors).toEqual([
      'status.resourceClaimStatuses[0].name: Invalid value: "gpu": must match the name of an entry in `spec.resourceClaims`',
      'status.podIPs: Invalid value: [{"ip":"10.0.0.1"},{"ip":"10.0.0.2"}]: may specify no more than one IP for each IP family',
      'status.hostIPs[0].ip: Invalid value: "10.1.0.2": must be equal to `hostIP`',
    ]);
  });
});

describe("resizing a pod", () => {
  const sized = created("/pods", changed({ [`${container}.resources`]: { requests: { cpu: "1" } } })).object;

  it("is not for what the node's own files say", () => {
    const mirror = withPath(sized, "metadata.annotations", { "kubernetes.io/config.mirror": "x" });
    expect(updated("/pods", mirror, mirror, "resize").errors).toContain(": Forbidden: static pods cannot be resized");
  });

  it("needs a node that knows how", () => {
    const on = withPath(sized, "status.containerStatuses", [{ name: "c", state: { running: {} } }]);
    const more = withPath(on, `${container}.resources.requests.cpu`, "2");
    expect(updated("/pods", more, on, "resize").errors).toEqual([
      "spec: Forbidden: Pod running on node without support for resize",
    ]);
  });

  it("is of cpu and memory alone", () => {
    const more = withPath(sized, `${container}.resources.requests`, { cpu: "1", "ephemeral-storage": "1Gi" });
    expect(updated("/pods", more, sized, "resize").errors).toEqual([
      "spec: Forbidden: only cpu and memory resources are mutable",
    ]);
  });

  const amounts = (cpu: string): object => ({ requests: { cpu } });
  const pair = [
    { name: "a", image: "a", resources: amounts("1") },
    { name: "b", image: "b" },
  ];
  const first = { name: "i", image: "i", resources: amounts("1"), restartPolicy: "Always" };

  it.each([
    {
      name: "in another order",
      before: { containers: pair },
      after: { containers: pair.toReversed() },
      errors: [
        "spec.containers[0].name: Forbidden: containers may not be renamed or reordered on resize",
        "spec.containers[1].name: Forbidden: containers may not be renamed or reordered on resize",
      ],
    },
    {
      name: "of fewer",
      before: { containers: pair, initContainers: [first] },
      after: { containers: pair.slice(0, 1), initContainers: [] },
      errors: [
        "spec.containers: Forbidden: containers may not be added or removed on resize",
        "spec.initContainers: Forbidden: initContainers may not be added or removed on resize",
      ],
    },
    {
      name: "that take a promise back",
      before: { containers: pair, initContainers: [first] },
      after: {
        containers: [{ ...pair[0], resources: { requests: { memory: "1Gi" } } }, pair[1]],
        initContainers: [{ ...first, resources: {} }],
      },
      errors: [
        "spec.initContainers[0].resources.requests: Forbidden: resource requests cannot be removed",
        "spec.containers[0].resources.requests: Forbidden: resource requests cannot be removed",
      ],
    },
    {
      name: "that come before the others",
      before: { containers: pair, initContainers: [{ ...first, restartPolicy: undefined }] },
      after: { containers: pair, initContainers: [{ ...first, restartPolicy: undefined, resources: amounts("2") }] },
      errors: [],
    },
    {
      name: "that come before the others and would start again",
      before: {
        containers: pair,
        initContainers: [
          {
            ...first,
            restartPolicy: undefined,
            resizePolicy: [{ resourceName: "cpu", restartPolicy: "RestartContainer" }],
          },
        ],
      },
      after: {
        containers: pair,
        initContainers: [
          {
            ...first,
            restartPolicy: undefined,
            resizePolicy: [{ resourceName: "cpu", restartPolicy: "RestartContainer" }],
            resources: amounts("2"),
          },
        ],
      },
      errors: [
        "spec.initContainers[0]: Forbidden: non-sidecar init containers with a resize policy of RestartContainer cannot be resized",
      ],
    },
    {
      name: "with resources for all of them",
      before: { containers: pair },
      after: { containers: pair, resources: { requests: { cpu: "3" } } },
      errors: [],
    },
    {
      name: "without resources for all of them any more",
      before: { containers: pair, resources: { requests: { cpu: "3" } } },
      after: { containers: pair },
      errors: ["spec.resources: Forbidden: pod-level resources cannot be removed"],
    },
    {
      name: "with fewer resources for all of them",
      before: { containers: pair, resources: { requests: { cpu: "3", memory: "1Gi" } } },
      after: { containers: pair, resources: { requests: { cpu: "3" } } },
      errors: ["spec.resources.requests: Forbidden: pod-level resource requests cannot be removed"],
    },
  ])("is of containers $name", ({ before, after, errors }) => {
    const old = created("/pods", changed({ spec: before })).object;
    const wanted = created("/pods", changed({ spec: after })).object;
    const given = { ...old, spec: { ...(old["spec"] as object), resources: undefined, ...(wanted["spec"] as object) } };
    expect(updated("/pods", JSON.parse(JSON.stringify(given)), old, "resize").errors).toEqual(errors);
  });
});
