import type {
  FlowSchema,
  KubeObject,
  New,
  PolicyRulesWithSubjects,
  PriorityLevelConfiguration,
  Transport,
} from "../../api/index.js";
import { ensure } from "./system-objects.js";

const place = { group: "flowcontrol.apiserver.k8s.io", version: "v1" } as const;
const apiVersion = "flowcontrol.apiserver.k8s.io/v1";
/** Whose spec the API server may change when it is upgraded. */
const annotations = { "apf.kubernetes.io/autoupdate-spec": "true" };

type Named<T extends KubeObject> = New<T> & { readonly metadata: { readonly name: string } };
type Rule = Omit<PolicyRulesWithSubjects, "subjects">;
type Subjects = PolicyRulesWithSubjects["subjects"];

const groups = (...names: readonly string[]): Subjects => names.map((name) => ({ kind: "Group", group: { name } }));
const users = (...names: readonly string[]): Subjects => names.map((name) => ({ kind: "User", user: { name } }));
const accounts = (...names: readonly string[]): Subjects =>
  names.map((name) => ({ kind: "ServiceAccount", serviceAccount: { name, namespace: "kube-system" } }));

const everything: Rule = {
  resourceRules: [{ verbs: ["*"], apiGroups: ["*"], resources: ["*"], clusterScope: true, namespaces: ["*"] }],
  nonResourceRules: [{ verbs: ["*"], nonResourceURLs: ["*"] }],
};
const election: Rule = {
  resourceRules: [
    {
      verbs: ["get", "create", "update"],
      apiGroups: ["coordination.k8s.io"],
      resources: ["leases"],
      namespaces: ["*"],
    },
  ],
};
const everybody = groups("system:unauthenticated", "system:authenticated");
const nodes = groups("system:nodes");

type Schema = readonly [
  name: string,
  level: string,
  precedence: number,
  distinguish: "ByUser" | "ByNamespace" | undefined,
  subjects: Subjects,
  rule: Rule,
];

/** Upstream's mandatory and suggested FlowSchemas. */
const schemas: readonly Schema[] = [
  ["exempt", "exempt", 1, undefined, groups("system:masters"), everything],
  [
    "probes",
    "exempt",
    2,
    undefined,
    everybody,
    { nonResourceRules: [{ verbs: ["get"], nonResourceURLs: ["/healthz", "/readyz", "/livez"] }] },
  ],
  [
    "system-leader-election",
    "leader-election",
    100,
    "ByUser",
    [...users("system:kube-controller-manager", "system:kube-scheduler"), ...accounts("*")],
    election,
  ],
  [
    "endpoint-controller",
    "workload-high",
    150,
    "ByUser",
    [
      ...users("system:kube-controller-manager"),
      ...accounts("endpoint-controller", "endpointslicemirroring-controller"),
    ],
    {
      resourceRules: [
        { verbs: ["get", "create", "update"], apiGroups: [""], resources: ["endpoints"], namespaces: ["*"] },
      ],
    },
  ],
  ["workload-leader-election", "leader-election", 200, "ByUser", accounts("*"), election],
  [
    "system-node-high",
    "node-high",
    400,
    "ByUser",
    nodes,
    {
      resourceRules: [
        { verbs: ["*"], apiGroups: [""], resources: ["nodes", "nodes/status"], clusterScope: true, namespaces: ["*"] },
        { verbs: ["*"], apiGroups: ["coordination.k8s.io"], resources: ["leases"], namespaces: ["*"] },
      ],
    },
  ],
  ["system-nodes", "system", 500, "ByUser", nodes, everything],
  ["kube-controller-manager", "workload-high", 800, "ByNamespace", users("system:kube-controller-manager"), everything],
  ["kube-scheduler", "workload-high", 800, "ByNamespace", users("system:kube-scheduler"), everything],
  ["kube-system-service-accounts", "workload-high", 900, "ByNamespace", accounts("*"), everything],
  ["service-accounts", "workload-low", 9000, "ByUser", groups("system:serviceaccounts"), everything],
  ["global-default", "global-default", 9900, "ByUser", everybody, everything],
  ["catch-all", "catch-all", 10_000, "ByUser", everybody, everything],
];

/** Name, shares, percentage that may be lent, and queues with the size of a hand, if any. */
const levels: readonly (readonly [string, number, number, (readonly [number, number])?])[] = [
  ["system", 30, 33, [64, 6]],
  ["node-high", 40, 25, [64, 6]],
  ["leader-election", 10, 0, [16, 4]],
  ["workload-high", 40, 50, [128, 6]],
  ["workload-low", 100, 90, [128, 6]],
  ["global-default", 20, 50, [128, 6]],
  ["catch-all", 5, 0],
];

/** The objects that upstream's API server makes for its flow control. Who changes them keeps what they made of them. */
export async function ensureFlowControl(transport: Transport): Promise<void> {
  const make = (objects: readonly Named<KubeObject>[], resource: string): Promise<unknown> =>
    Promise.all(objects.map((object) => ensure(transport, object, { ...place, resource })));
  await make(bootstrapLevels, "prioritylevelconfigurations");
  await make(bootstrapSchemas, "flowschemas");
}

const exemptLevel: Named<PriorityLevelConfiguration> = {
  apiVersion,
  kind: "PriorityLevelConfiguration",
  metadata: { name: "exempt", annotations },
  spec: { type: "Exempt", exempt: { nominalConcurrencyShares: 0, lendablePercent: 0 } },
};

function limitedLevel([
  name,
  shares,
  lendablePercent,
  queues,
]: (typeof levels)[number]): Named<PriorityLevelConfiguration> {
  const limitResponse =
    queues === undefined
      ? ({ type: "Reject" } as const)
      : { type: "Queue", queuing: { queues: queues[0], handSize: queues[1], queueLengthLimit: 50 } };
  return {
    apiVersion,
    kind: "PriorityLevelConfiguration",
    metadata: { name, annotations },
    spec: { type: "Limited", limited: { nominalConcurrencyShares: shares, lendablePercent, limitResponse } },
  };
}

function flowSchema([name, level, matchingPrecedence, distinguish, subjects, rule]: Schema): Named<FlowSchema> {
  return {
    apiVersion,
    kind: "FlowSchema",
    metadata: { name, annotations },
    spec: {
      priorityLevelConfiguration: { name: level },
      matchingPrecedence,
      ...(distinguish === undefined ? {} : { distinguisherMethod: { type: distinguish } }),
      rules: [{ subjects, ...rule }],
    },
  };
}

/** Upstream's levels and schemas: the mandatory ones, and those that it suggests. */
export const bootstrapLevels: readonly Named<PriorityLevelConfiguration>[] = [exemptLevel, ...levels.map(limitedLevel)];
export const bootstrapSchemas: readonly Named<FlowSchema>[] = schemas.map(flowSchema);

const mandatory: ReadonlySet<string> = new Set(["exempt", "catch-all"]);
const isMandatory = ({ metadata }: Named<KubeObject>): boolean => mandatory.has(metadata.name);

/** What flow control needs to have something for every request, also where the objects are missing. */
export const mandatoryLevels: readonly Named<PriorityLevelConfiguration>[] = bootstrapLevels.filter(isMandatory);
export const mandatorySchemas: readonly Named<FlowSchema>[] = bootstrapSchemas.filter(isMandatory);
