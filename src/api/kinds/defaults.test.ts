import { describe, expect, it } from "vitest";
import type { JsonObject } from "../object.js";
import { builtinStrategies } from "./index.js";
import { deepFreeze } from "./testing.js";

function defaultsOf(key: string, object: JsonObject): JsonObject {
  const defaults = builtinStrategies.get(key)?.defaults;
  if (defaults === undefined) throw new Error(`no defaults for ${key}`);
  return defaults(deepFreeze(object));
}

const containerDefaults = {
  imagePullPolicy: "IfNotPresent",
  terminationMessagePath: "/dev/termination-log",
  terminationMessagePolicy: "File",
};
const podSpecDefaults = {
  dnsPolicy: "ClusterFirst",
  restartPolicy: "Always",
  schedulerName: "default-scheduler",
  securityContext: {},
  terminationGracePeriodSeconds: 30,
};
const template = { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "c", image: "nginx:1" }] } };
const defaultedTemplate = {
  metadata: { labels: { app: "web" } },
  spec: { ...podSpecDefaults, containers: [{ name: "c", image: "nginx:1", ...containerDefaults }] },
};

interface Row {
  readonly name: string;
  readonly kind: string;
  readonly given: JsonObject;
  readonly want: JsonObject;
}

const rows: readonly Row[] = [
  {
    name: "a pod gets the numbers of its spec and container",
    kind: "/pods",
    given: { spec: { containers: [{ name: "c", image: "nginx:1" }] } },
    want: {
      spec: {
        ...podSpecDefaults,
        enableServiceLinks: true,
        containers: [{ name: "c", image: "nginx:1", ...containerDefaults }],
      },
    },
  },
  {
    name: "explicit zero of a pointer field stays",
    kind: "/pods",
    given: {
      spec: { ...podSpecDefaults, enableServiceLinks: false, terminationGracePeriodSeconds: 0, containers: [] },
    },
    want: { spec: { ...podSpecDefaults, enableServiceLinks: false, terminationGracePeriodSeconds: 0, containers: [] } },
  },
  {
    name: "requests follow limits, probes and ports get numbers, host ports follow host network",
    kind: "/pods",
    given: {
      spec: {
        ...podSpecDefaults,
        enableServiceLinks: true,
        hostNetwork: true,
        serviceAccount: "old",
        containers: [
          {
            ...containerDefaults,
            name: "c",
            image: "x:1",
            ports: [{ containerPort: 80 }],
            resources: { limits: { cpu: "1", memory: "1Gi" }, requests: { cpu: "500m" } },
            livenessProbe: { httpGet: { port: 80 }, periodSeconds: 0 },
            env: [{ name: "N", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } }],
          },
        ],
      },
    },
    want: {
      spec: {
        ...podSpecDefaults,
        enableServiceLinks: true,
        hostNetwork: true,
        serviceAccount: "old",
        serviceAccountName: "old",
        containers: [
          {
            ...containerDefaults,
            name: "c",
            image: "x:1",
            ports: [{ containerPort: 80, hostPort: 80, protocol: "TCP" }],
            resources: { limits: { cpu: "1", memory: "1Gi" }, requests: { cpu: "500m", memory: "1Gi" } },
            livenessProbe: {
              httpGet: { port: 80, path: "/", scheme: "HTTP" },
              periodSeconds: 10,
              timeoutSeconds: 1,
              successThreshold: 1,
              failureThreshold: 3,
            },
            env: [{ name: "N", valueFrom: { fieldRef: { fieldPath: "metadata.name", apiVersion: "v1" } } }],
          },
        ],
      },
    },
  },
  {
    name: "volumes: none is emptyDir, modes are 0644, tokens last an hour",
    kind: "/pods",
    given: {
      spec: {
        ...podSpecDefaults,
        enableServiceLinks: true,
        containers: [],
        volumes: [
          { name: "e" },
          { name: "s", secret: { secretName: "s" } },
          { name: "p", projected: { sources: [{ serviceAccountToken: { path: "token" } }] } },
          { name: "h", hostPath: { path: "/x" } },
        ],
      },
    },
    want: {
      spec: {
        ...podSpecDefaults,
        enableServiceLinks: true,
        containers: [],
        volumes: [
          { name: "e", emptyDir: {} },
          { name: "s", secret: { secretName: "s", defaultMode: 420 } },
          {
            name: "p",
            projected: {
              defaultMode: 420,
              sources: [{ serviceAccountToken: { path: "token", expirationSeconds: 3600 } }],
            },
          },
          { name: "h", hostPath: { path: "/x", type: "" } },
        ],
      },
    },
  },
  {
    name: "a deployment rolls a quarter at a time",
    kind: "apps/deployments",
    given: { spec: { selector: { matchLabels: { app: "web" } }, template } },
    want: {
      spec: {
        replicas: 1,
        revisionHistoryLimit: 10,
        progressDeadlineSeconds: 600,
        strategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: "25%", maxSurge: "25%" } },
        selector: { matchLabels: { app: "web" } },
        template: defaultedTemplate,
      },
    },
  },
  {
    name: "a deployment that recreates has no rolling update",
    kind: "apps/deployments",
    given: { spec: { replicas: 0, strategy: { type: "Recreate" } } },
    want: {
      spec: { replicas: 0, revisionHistoryLimit: 10, progressDeadlineSeconds: 600, strategy: { type: "Recreate" } },
    },
  },
  {
    name: "a daemon set replaces one at a time",
    kind: "apps/daemonsets",
    given: { spec: { template } },
    want: {
      spec: {
        revisionHistoryLimit: 10,
        updateStrategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 1, maxSurge: 0 } },
        template: defaultedTemplate,
      },
    },
  },
  {
    name: "a stateful set is ordered, and its claims are of file systems",
    kind: "apps/statefulsets",
    given: { spec: { template, volumeClaimTemplates: [{ metadata: { name: "d" }, spec: {} }] } },
    want: {
      spec: {
        replicas: 1,
        revisionHistoryLimit: 10,
        podManagementPolicy: "OrderedReady",
        persistentVolumeClaimRetentionPolicy: { whenDeleted: "Retain", whenScaled: "Retain" },
        updateStrategy: { type: "RollingUpdate", rollingUpdate: { partition: 0 } },
        template: defaultedTemplate,
        volumeClaimTemplates: [
          {
            apiVersion: "v1",
            kind: "PersistentVolumeClaim",
            metadata: { name: "d" },
            spec: { volumeMode: "Filesystem" },
            status: { phase: "Pending" },
          },
        ],
      },
    },
  },
  {
    name: "a job runs one pod and takes the labels of its template",
    kind: "batch/jobs",
    given: { metadata: { name: "j" }, spec: { template } },
    want: {
      metadata: { name: "j", labels: { app: "web" } },
      spec: {
        completions: 1,
        parallelism: 1,
        backoffLimit: 6,
        completionMode: "NonIndexed",
        suspend: false,
        manualSelector: false,
        podReplacementPolicy: "TerminatingOrFailed",
        template: defaultedTemplate,
      },
    },
  },
  {
    name: "a job with parallelism alone is a work queue without completions",
    kind: "batch/jobs",
    given: { spec: { parallelism: 3, backoffLimitPerIndex: 1, podFailurePolicy: { rules: [] } } },
    want: {
      spec: {
        parallelism: 3,
        backoffLimit: 2147483647,
        backoffLimitPerIndex: 1,
        completionMode: "NonIndexed",
        suspend: false,
        manualSelector: false,
        podReplacementPolicy: "Failed",
        podFailurePolicy: { rules: [] },
      },
    },
  },
  {
    name: "a service is a ClusterIP whose target is its port",
    kind: "/services",
    given: { spec: { ports: [{ port: 80 }] } },
    want: {
      spec: {
        type: "ClusterIP",
        sessionAffinity: "None",
        internalTrafficPolicy: "Cluster",
        ports: [{ port: 80, protocol: "TCP", targetPort: 80 }],
      },
    },
  },
  {
    name: "client affinity lasts three hours, a load balancer has node ports",
    kind: "/services",
    given: { spec: { type: "LoadBalancer", sessionAffinity: "ClientIP" } },
    want: {
      spec: {
        type: "LoadBalancer",
        sessionAffinity: "ClientIP",
        sessionAffinityConfig: { clientIP: { timeoutSeconds: 10800 } },
        internalTrafficPolicy: "Cluster",
        externalTrafficPolicy: "Cluster",
        allocateLoadBalancerNodePorts: true,
      },
    },
  },
  {
    name: "stringData becomes data, and wins",
    kind: "/secrets",
    given: { data: { a: "b2xk", b: "Yg==" }, stringData: { a: "new" } },
    want: { type: "Opaque", data: { a: "bmV3", b: "Yg==" } },
  },
  {
    name: "a namespace is labelled with its name",
    kind: "/namespaces",
    given: { metadata: { name: "n", labels: { x: "y" } } },
    want: {
      metadata: { name: "n", labels: { x: "y", "kubernetes.io/metadata.name": "n" } },
      status: { phase: "Active" },
    },
  },
  {
    name: "limits of containers: default from max, request from default, then min",
    kind: "/limitranges",
    given: { spec: { limits: [{ type: "Container", max: { cpu: "2" }, min: { memory: "1Mi" } }] } },
    want: {
      spec: {
        limits: [
          {
            type: "Container",
            max: { cpu: "2" },
            min: { memory: "1Mi" },
            default: { cpu: "2" },
            defaultRequest: { cpu: "2", memory: "1Mi" },
          },
        ],
      },
    },
  },
  {
    name: "a network policy without egress rules is about ingress",
    kind: "networking.k8s.io/networkpolicies",
    given: { spec: { ingress: [{ ports: [{ port: 80 }] }] } },
    want: { spec: { policyTypes: ["Ingress"], ingress: [{ ports: [{ port: 80, protocol: "TCP" }] }] } },
  },
  {
    name: "an autoscaler aims at 80 % of cpu",
    kind: "autoscaling/horizontalpodautoscalers",
    given: { apiVersion: "autoscaling/v2", spec: {} },
    want: {
      apiVersion: "autoscaling/v2",
      spec: {
        minReplicas: 1,
        metrics: [
          { type: "Resource", resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 80 } } },
        ],
      },
    },
  },
  {
    name: "autoscaling/v1 has no metrics",
    kind: "autoscaling/horizontalpodautoscalers",
    given: { apiVersion: "autoscaling/v1", spec: {} },
    want: { apiVersion: "autoscaling/v1", spec: { minReplicas: 1 } },
  },
  {
    name: "subjects and roles of a binding have their groups",
    kind: "rbac.authorization.k8s.io/rolebindings",
    given: {
      roleRef: { kind: "Role", name: "r" },
      subjects: [
        { kind: "User", name: "u" },
        { kind: "ServiceAccount", name: "s" },
      ],
    },
    want: {
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "r" },
      subjects: [
        { apiGroup: "rbac.authorization.k8s.io", kind: "User", name: "u" },
        { kind: "ServiceAccount", name: "s" },
      ],
    },
  },
];

describe("defaults", () => {
  it.each(rows)("$name", ({ kind, given, want }) => {
    expect(defaultsOf(kind, given)).toEqual(want);
  });

  it.each(rows)("are complete after one pass, and then give the same object back: $name", ({ kind, given }) => {
    const once = defaultsOf(kind, given);
    expect(defaultsOf(kind, once)).toBe(once);
  });

  it("tie keys of users' maps to the map, whatever they are called", () => {
    const limits = JSON.parse('{"__proto__": "1", "constructor": "2"}');
    const pod = defaultsOf("/pods", { spec: { containers: [{ name: "c", resources: { limits } }] } });
    expect(JSON.stringify(pod)).toContain('"requests":{"__proto__":"1","constructor":"2"}');
  });

  it.each([
    ["nginx", "Always"],
    ["nginx:latest", "Always"],
    ["registry:5000/nginx", "Always"],
    ["registry:5000/nginx:1.2", "IfNotPresent"],
    ["nginx@sha256:0123", "IfNotPresent"],
    ["nginx:latest@sha256:0123", "Always"],
  ])("image %s is pulled %s", (image, policy) => {
    const pod = defaultsOf("/pods", { spec: { containers: [{ name: "c", image }] } });
    expect(pod).toMatchObject({ spec: { containers: [{ imagePullPolicy: policy }] } });
  });
});
