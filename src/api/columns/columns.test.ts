import { describe, expect, it } from "vitest";
import type { JsonObject } from "../object.js";
import { builtinColumns, customColumns } from "./index.js";

const now = Date.UTC(2026, 0, 3);
const metadata = { name: "x", creationTimestamp: "2026-01-01T00:00:00Z" };

/** The row as `kubectl get -o wide` prints it. */
function row(type: string, object: JsonObject): unknown[] {
  const [group = "", version = "", resource = ""] = type.split("/");
  return builtinColumns(group, version, resource).map((column) => column.cell({ metadata, ...object }, now));
}

const template = {
  spec: {
    containers: [
      { name: "a", image: "i:1" },
      { name: "b", image: "j" },
    ],
  },
};
const selector = { matchLabels: { app: "x" }, matchExpressions: [{ key: "aa", operator: "In", values: ["2", "1"] }] };

describe("builtinColumns", () => {
  const cases: readonly { readonly type: string; readonly object: JsonObject; readonly row: readonly unknown[] }[] = [
    {
      type: "apps/v1/deployments",
      object: {
        spec: { replicas: 3, template, selector },
        status: { readyReplicas: 2, updatedReplicas: 1, availableReplicas: 2 },
      },
      row: ["x", "2/3", 1, 2, "2d", "a,b", "i:1,j", "aa in (1,2),app=x"],
    },
    {
      type: "apps/v1/replicasets",
      object: { spec: { replicas: 3, template, selector: {} }, status: { replicas: 1 } },
      row: ["x", 3, 1, 0, "2d", "a,b", "i:1,j", "<none>"],
    },
    {
      type: "apps/v1/statefulsets",
      object: { spec: { replicas: 2, template }, status: { readyReplicas: 1 } },
      row: ["x", "1/2", "2d", "a,b", "i:1,j"],
    },
    {
      type: "apps/v1/daemonsets",
      object: { spec: { template, selector: { matchLabels: { a: "b" } } } },
      row: ["x", 0, 0, 0, 0, 0, "<none>", "2d", "a,b", "i:1,j", "a=b"],
    },
    {
      type: "/v1/replicationcontrollers",
      object: { spec: { replicas: 1, selector: { b: "2", a: "1" }, template } },
      row: ["x", 1, 0, 0, "2d", "a,b", "i:1,j", "a=1,b=2"],
    },
    {
      type: "apps/v1/controllerrevisions",
      object: {
        metadata: {
          ...metadata,
          ownerReferences: [{ apiVersion: "apps/v1", kind: "StatefulSet", name: "web", controller: true }],
        },
        revision: 3,
      },
      row: ["x", "statefulset.apps/web", 3, "2d"],
    },
    {
      type: "batch/v1/jobs",
      object: {
        spec: { completions: 3, template, selector: { matchLabels: { j: "1" } } },
        status: { succeeded: 1, startTime: "2026-01-02T23:59:00Z" },
      },
      row: ["x", "Running", "1/3", "60s", "2d", "a,b", "i:1,j", "j=1"],
    },
    {
      type: "batch/v1/jobs",
      object: {
        spec: { parallelism: 2, template },
        status: {
          succeeded: 1,
          startTime: "2026-01-01T00:00:00Z",
          completionTime: "2026-01-01T00:00:07Z",
          conditions: [{ type: "Complete", status: "True" }],
        },
      },
      row: ["x", "Complete", "1/1 of 2", "7s", "2d", "a,b", "i:1,j", "<none>"],
    },
    {
      type: "batch/v1/cronjobs",
      object: {
        spec: { schedule: "* * * * *", suspend: false, jobTemplate: { spec: { template } } },
        status: { active: [{}], lastScheduleTime: "2026-01-02T23:59:30Z" },
      },
      row: ["x", "* * * * *", "<none>", "False", 1, "30s", "2d", "a,b", "i:1,j", "<none>"],
    },
    {
      type: "/v1/services",
      object: {
        spec: {
          type: "ClusterIP",
          clusterIP: "10.0.0.1",
          ports: [{ port: 80, protocol: "TCP" }],
          selector: { a: "b" },
        },
      },
      row: ["x", "ClusterIP", "10.0.0.1", "<none>", "80/TCP", "2d", "a=b"],
    },
    {
      type: "/v1/services",
      object: {
        spec: {
          type: "LoadBalancer",
          clusterIPs: ["10.0.0.1"],
          ports: [{ port: 80, nodePort: 30080, protocol: "UDP" }],
        },
      },
      row: ["x", "LoadBalancer", "10.0.0.1", "<pending>", "80:30080/UDP", "2d", "<none>"],
    },
    {
      type: "/v1/services",
      object: { spec: { type: "ExternalName", externalName: "a.b" } },
      row: ["x", "ExternalName", "<none>", "a.b", "<none>", "2d", "<none>"],
    },
    {
      type: "/v1/endpoints",
      object: { subsets: [{ addresses: [{ ip: "1.1.1.1" }, { ip: "fd::1" }], ports: [{ port: 80 }, { port: 81 }] }] },
      row: ["x", "1.1.1.1:80,[fd::1]:80,1.1.1.1:81 + 1 more...", "2d"],
    },
    {
      type: "discovery.k8s.io/v1/endpointslices",
      object: { addressType: "IPv4", ports: [{ port: 80 }], endpoints: [{ addresses: ["1.1.1.1"] }] },
      row: ["x", "IPv4", "80", "1.1.1.1", "2d"],
    },
    {
      type: "discovery.k8s.io/v1/endpointslices",
      object: { addressType: "IPv4" },
      row: ["x", "IPv4", "<unset>", "<unset>", "2d"],
    },
    {
      type: "networking.k8s.io/v1/ingresses",
      object: {
        spec: { ingressClassName: "c", tls: [{}], rules: [{ host: "a" }] },
        status: { loadBalancer: { ingress: [{ ip: "1.2.3.4" }] } },
      },
      row: ["x", "c", "a", "1.2.3.4", "80, 443", "2d"],
    },
    { type: "networking.k8s.io/v1/ingresses", object: {}, row: ["x", "<none>", "*", "", "80", "2d"] },
    { type: "networking.k8s.io/v1/networkpolicies", object: { spec: { podSelector: {} } }, row: ["x", "<none>", "2d"] },
    {
      type: "networking.k8s.io/v1/ipaddresses",
      object: { spec: { parentRef: { resource: "services", namespace: "default", name: "kubernetes" } } },
      row: ["x", "services/default/kubernetes", "2d"],
    },
    {
      type: "/v1/nodes",
      object: {
        metadata: {
          ...metadata,
          labels: { "node-role.kubernetes.io/worker": "", "node-role.kubernetes.io/control-plane": "" },
        },
        spec: { unschedulable: true },
        status: {
          conditions: [{ type: "Ready", status: "True" }],
          addresses: [{ type: "InternalIP", address: "10.1.1.1" }],
          nodeInfo: { kubeletVersion: "v1.36.0", osImage: "Debian" },
        },
      },
      row: [
        "x",
        "Ready,SchedulingDisabled",
        "control-plane,worker",
        "2d",
        "v1.36.0",
        "10.1.1.1",
        "<none>",
        "Debian",
        "<unknown>",
        "<unknown>",
      ],
    },
    {
      type: "/v1/nodes",
      object: {},
      row: ["x", "Unknown", "<none>", "2d", "", "<none>", "<none>", "<unknown>", "<unknown>", "<unknown>"],
    },
    { type: "/v1/namespaces", object: { status: { phase: "Active" } }, row: ["x", "Active", "2d"] },
    { type: "/v1/configmaps", object: { data: { a: "1" }, binaryData: { b: "" } }, row: ["x", 2, "2d"] },
    { type: "/v1/secrets", object: { type: "Opaque", data: { a: "" } }, row: ["x", "Opaque", 1, "2d"] },
    { type: "/v1/serviceaccounts", object: {}, row: ["x", 0, "2d"] },
    {
      type: "/v1/resourcequotas",
      object: { status: { hard: { pods: "3", cpu: "1", "limits.cpu": "2" }, used: { pods: "1" } } },
      row: ["x", "cpu: 0/1, pods: 1/3", "limits.cpu: 0/2", "2d"],
    },
    {
      type: "/v1/persistentvolumes",
      object: {
        spec: {
          capacity: { storage: "1Gi" },
          accessModes: ["ReadWriteMany", "ReadWriteOnce"],
          persistentVolumeReclaimPolicy: "Retain",
          claimRef: { namespace: "n", name: "c" },
          storageClassName: "s",
          volumeMode: "Filesystem",
        },
        status: { phase: "Bound" },
      },
      row: ["x", "1Gi", "RWO,RWX", "Retain", "Bound", "n/c", "s", "<unset>", "", "2d", "Filesystem"],
    },
    {
      type: "/v1/persistentvolumeclaims",
      object: { spec: { accessModes: ["ReadWriteOnce"] }, status: { phase: "Pending" } },
      row: ["x", "Pending", "", "", "", "", "<unset>", "2d", "<unset>"],
    },
    {
      type: "storage.k8s.io/v1/storageclasses",
      object: {
        metadata: { ...metadata, annotations: { "storageclass.kubernetes.io/is-default-class": "true" } },
        provisioner: "p",
      },
      row: ["x (default)", "p", "Delete", "Immediate", false, "2d"],
    },
    {
      type: "/v1/events",
      object: {
        involvedObject: { kind: "Pod", name: "web", fieldPath: "spec" },
        type: "Normal",
        reason: "Pulled",
        message: "done\n",
        source: { component: "kubelet", host: "n1" },
        firstTimestamp: "2026-01-02T23:58:00Z",
        lastTimestamp: "2026-01-02T23:59:30Z",
        count: 4,
      },
      row: ["30s", "Normal", "Pulled", "pod/web", "spec", "kubelet, n1", "done", "2m", 4, "x"],
    },
    {
      type: "events.k8s.io/v1/events",
      object: {
        regarding: { kind: "Pod", name: "web" },
        type: "Normal",
        reason: "Scheduled",
        note: "ok",
        reportingController: "default-scheduler",
        reportingInstance: "s-0",
        eventTime: "2026-01-02T23:59:30.000000Z",
      },
      row: ["30s", "Normal", "Scheduled", "pod/web", "", "default-scheduler, s-0", "ok", "30s", 1, "x"],
    },
    {
      type: "autoscaling/v2/horizontalpodautoscalers",
      object: {
        spec: {
          scaleTargetRef: { kind: "Deployment", name: "web" },
          minReplicas: 1,
          maxReplicas: 5,
          metrics: [
            { type: "Resource", resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 80 } } },
          ],
        },
        status: {
          currentReplicas: 2,
          desiredReplicas: 2,
          currentMetrics: [{ type: "Resource", resource: { name: "cpu", current: { averageUtilization: 50 } } }],
        },
      },
      row: ["x", "Deployment/web", "cpu: 50%/80%", "1", 5, 2, "2d"],
    },
    {
      type: "autoscaling/v1/horizontalpodautoscalers",
      object: {
        spec: {
          scaleTargetRef: { kind: "Deployment", name: "web" },
          maxReplicas: 5,
          targetCPUUtilizationPercentage: 80,
        },
      },
      row: ["x", "Deployment/web", "cpu: <unknown>/80%", "<unset>", 5, 0, "2d"],
    },
    {
      type: "policy/v1/poddisruptionbudgets",
      object: { spec: { minAvailable: "50%" }, status: { disruptionsAllowed: 1 } },
      row: ["x", "50%", "N/A", 1, "2d"],
    },
    {
      type: "rbac.authorization.k8s.io/v1/rolebindings",
      object: {
        roleRef: { kind: "Role", name: "r" },
        subjects: [
          { kind: "User", name: "u" },
          { kind: "ServiceAccount", namespace: "n", name: "s" },
        ],
      },
      row: ["x", "Role/r", "2d", "u", "", "n/s"],
    },
    { type: "rbac.authorization.k8s.io/v1/clusterroles", object: {}, row: ["x", "2026-01-01T00:00:00Z"] },
    {
      type: "certificates.k8s.io/v1/certificatesigningrequests",
      object: {
        spec: { signerName: "s", username: "u", expirationSeconds: 3600 },
        status: { conditions: [{ type: "Approved" }], certificate: "YQ==" },
      },
      row: ["x", "2d", "s", "u", "60m", "Approved,Issued"],
    },
    { type: "coordination.k8s.io/v1/leases", object: { spec: { holderIdentity: "h" } }, row: ["x", "h", "2d"] },
    {
      type: "apiregistration.k8s.io/v1/apiservices",
      object: { spec: {}, status: { conditions: [{ type: "Available", status: "True" }] } },
      row: ["x", "Local", "True", "2d"],
    },
    {
      type: "apiregistration.k8s.io/v1/apiservices",
      object: {
        spec: { service: { namespace: "n", name: "s" } },
        status: { conditions: [{ type: "Available", status: "False", reason: "Gone" }] },
      },
      row: ["x", "n/s", "False (Gone)", "2d"],
    },
    {
      type: "flowcontrol.apiserver.k8s.io/v1/flowschemas",
      object: { spec: { priorityLevelConfiguration: { name: "exempt" }, matchingPrecedence: 1 } },
      row: ["x", "exempt", 1, "<none>", "2d", "?"],
    },
    {
      type: "flowcontrol.apiserver.k8s.io/v1/prioritylevelconfigurations",
      object: { spec: { type: "Exempt", exempt: { nominalConcurrencyShares: 0 } } },
      row: ["x", "Exempt", "<none>", "<none>", "<none>", "<none>", "2d"],
    },
    {
      type: "flowcontrol.apiserver.k8s.io/v1/prioritylevelconfigurations",
      object: {
        spec: {
          type: "Limited",
          limited: {
            nominalConcurrencyShares: 5,
            limitResponse: { type: "Queue", queuing: { queues: 64, handSize: 8, queueLengthLimit: 50 } },
          },
        },
      },
      row: ["x", "Limited", 5, 64, 8, 50, "2d"],
    },
    {
      type: "admissionregistration.k8s.io/v1/validatingadmissionpolicybindings",
      object: { spec: { policyName: "p", paramRef: { name: "a" } } },
      row: ["x", "p", "*/a", "2d"],
    },
    {
      type: "admissionregistration.k8s.io/v1/mutatingadmissionpolicybindings",
      object: {
        spec: {
          policyName: "p",
          paramRef: {
            selector: {
              matchLabels: { b: "2", a: "1" },
              matchExpressions: [{ key: "k", operator: "In", values: ["v", "w"] }],
            },
          },
        },
      },
      row: [
        "x",
        "p",
        "&LabelSelector{MatchLabels:map[string]string{a: 1,b: 2,},MatchExpressions:[]LabelSelectorRequirement{LabelSelectorRequirement{Key:k,Operator:In,Values:[v w],},},}",
        "2d",
      ],
    },
    {
      type: "networking.k8s.io/v1/ingresses",
      object: {
        spec: { rules: [{ host: "a" }, {}, { host: "b" }, { host: "c" }, {}] },
        status: { loadBalancer: { ingress: [{ ip: "9.9.9.9" }, { hostname: "b" }, { ip: "1.1.1.1" }] } },
      },
      row: ["x", "<none>", "a,b,c + 2 more...", "1.1.1.1,9.9.9.9,b", "80", "2d"],
    },
    {
      type: "/v1/persistentvolumes",
      object: { spec: { volumeAttributesClassName: "" }, status: {} },
      row: ["x", "0", "", "", "", "", "", "", "", "2d", "<unset>"],
    },
    {
      type: "/v1/events",
      object: {
        involvedObject: { kind: "Pod", name: "p" },
        source: { component: "kubelet" },
        reportingComponent: "other",
        reportingInstance: "node-1",
        lastTimestamp: "2026-01-01T00:00:00Z",
        series: { count: 3, lastObservedTime: "2026-01-02T23:59:00Z" },
      },
      row: ["60s", "", "", "pod/p", "", "kubelet, node-1", "", "<unknown>", 3, "x"],
    },
    {
      type: "/v1/componentstatuses",
      object: { conditions: [{ type: "Healthy", status: "Unknown", message: "m" }] },
      row: ["x", "Unhealthy", "m", ""],
    },
    {
      type: "resource.k8s.io/v1/resourceclaims",
      object: { status: { allocation: {}, reservedFor: [{}] } },
      row: ["x", "allocated,reserved", "2d"],
    },
    {
      type: "storage.k8s.io/v1/csidrivers",
      object: { spec: {} },
      row: ["x", true, false, false, "<unset>", false, "<none>", "2d"],
    },
  ];
  for (const { type, object, row: expected } of cases) {
    it(`prints ${type} as ${String(expected[1])}`, () => expect(row(type, object)).toEqual(expected));
  }
});

describe("customColumns", () => {
  const cells = (definitions: Parameters<typeof customColumns>[0], object: JsonObject): unknown[] =>
    customColumns(definitions).map((column) => column.cell({ metadata, ...object }, now));

  it("prints name and age by default", () => {
    expect(customColumns([]).map((column) => column.name)).toEqual(["Name", "Age"]);
    expect(cells(undefined, {})).toEqual(["x", "2d"]);
  });

  it("reads values by their type", () => {
    const at = (type: string, jsonPath: string): { name: string; type: string; jsonPath: string } => ({
      name: type,
      type,
      jsonPath,
    });
    const definitions = [
      at("string", ".spec.list"),
      at("string", ".spec.text"),
      at("integer", ".spec.number"),
      at("number", ".spec.number"),
      at("boolean", ".spec.flag"),
      at("integer", ".spec.text"),
      at("date", ".spec.at"),
      at("date", ".spec.text"),
      at("string", ".spec.missing"),
    ];
    const spec = { list: ["a"], text: "t", number: 1.5, flag: false, at: "2026-01-02T23:00:00Z" };
    expect(cells(definitions, { spec })).toEqual(["x", '["a"]', "t", 1, 1.5, false, null, "60m", "<invalid>", null]);
  });
});
