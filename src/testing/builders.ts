import type {
  Affinity,
  Container,
  Deployment,
  DeploymentSpec,
  Node,
  NodeSpec,
  NodeStatus,
  ObjectMeta,
  OwnerReference,
  Pod,
  PodSpec,
  PodStatus,
  Service,
  ServicePort,
  ServiceSpec,
  Taint,
  Toleration,
  TopologySpreadConstraint,
} from "../api/index.js";

type Labels = { readonly [key: string]: string };

export interface MetaOptions {
  readonly namespace?: string;
  readonly labels?: Labels;
  readonly annotations?: Labels;
  /** Absent: made of kind, namespace and name, so that the same object has the same uid. A server gives its own. */
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly creationTimestamp?: string;
  readonly deletionTimestamp?: string;
  readonly ownerReferences?: readonly OwnerReference[];
}

export interface PodOptions extends MetaOptions {
  /** Requests of the only container. */
  readonly cpuMillis?: number;
  readonly memoryBytes?: number;
  /** Further requests of the only container: `{ "example.com/gpu": "1" }`. */
  readonly requests?: Labels;
  readonly image?: string;
  readonly hostPorts?: readonly number[];
  /** In place of the only container. */
  readonly containers?: readonly Container[];
  readonly nodeName?: string;
  readonly nodeSelector?: Labels;
  readonly affinity?: Affinity;
  readonly tolerations?: readonly Toleration[];
  readonly topologySpreadConstraints?: readonly TopologySpreadConstraint[];
  readonly priority?: number;
  readonly schedulerName?: string;
  readonly schedulingGates?: readonly string[];
  readonly phase?: string;
  /** What the options above have no word for. */
  readonly spec?: Partial<PodSpec>;
  readonly status?: PodStatus;
}

/** A pod of one container, in namespace `default`, without requests. */
export function makePod(name: string, options: PodOptions = {}): Pod {
  const { nodeName, nodeSelector, affinity, tolerations, topologySpreadConstraints, priority, schedulingGates } =
    options;
  const status: PodStatus = { ...(options.phase === undefined ? {} : { phase: options.phase }), ...options.status };
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: makeMeta("Pod", name, { ...options, namespace: options.namespace ?? "default" }),
    spec: {
      ...present({ nodeName, nodeSelector, affinity, tolerations, topologySpreadConstraints, priority }),
      ...(schedulingGates === undefined ? {} : { schedulingGates: schedulingGates.map((gate) => ({ name: gate })) }),
      schedulerName: options.schedulerName ?? "default-scheduler",
      containers: options.containers ?? [makeContainer(options)],
      ...options.spec,
    },
    ...(Object.keys(status).length === 0 ? {} : { status }),
  };
}

function makeContainer(options: PodOptions): Container {
  const requests: Record<string, string> = { ...options.requests };
  if (options.cpuMillis !== undefined) requests.cpu = `${options.cpuMillis}m`;
  if (options.memoryBytes !== undefined) requests.memory = `${options.memoryBytes}`;
  return {
    name: "main",
    image: options.image ?? "registry.k8s.io/pause:3.10",
    ...(Object.keys(requests).length === 0 ? {} : { resources: { requests } }),
    ...(options.hostPorts === undefined
      ? {}
      : { ports: options.hostPorts.map((port) => ({ containerPort: port, hostPort: port, protocol: "TCP" })) }),
  };
}

export interface NodeOptions extends Omit<MetaOptions, "namespace"> {
  /** Allocatable and capacity; 4 cores, 32 GiB and 110 pods unless told. */
  readonly cpuMillis?: number;
  readonly memoryBytes?: number;
  readonly pods?: number;
  /** Further resources, by name. */
  readonly resources?: Labels;
  readonly taints?: readonly Taint[];
  readonly unschedulable?: boolean;
  /** False: the Ready condition says False. */
  readonly ready?: boolean;
  readonly spec?: Partial<NodeSpec>;
  readonly status?: Partial<NodeStatus>;
}

/** A ready node with its hostname label. */
export function makeNode(name: string, options: NodeOptions = {}): Node {
  const resources = {
    cpu: `${options.cpuMillis ?? 4000}m`,
    memory: `${options.memoryBytes ?? 32 * 2 ** 30}`,
    pods: `${options.pods ?? 110}`,
    ...options.resources,
  };
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: makeMeta("Node", name, { ...options, labels: { "kubernetes.io/hostname": name, ...options.labels } }),
    spec: { ...present({ taints: options.taints, unschedulable: options.unschedulable }), ...options.spec },
    status: {
      capacity: resources,
      allocatable: resources,
      conditions: [{ type: "Ready", status: (options.ready ?? true) ? "True" : "False" }],
      ...options.status,
    },
  };
}

export interface ServiceOptions extends MetaOptions {
  readonly selector?: Labels;
  readonly clusterIP?: string;
  readonly type?: string;
  readonly ports?: readonly ServicePort[];
  readonly spec?: Partial<ServiceSpec>;
}

/** A Service in namespace `default` that selects `app: <name>` and forwards TCP 80. */
export function makeService(name: string, options: ServiceOptions = {}): Service {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: makeMeta("Service", name, { ...options, namespace: options.namespace ?? "default" }),
    spec: {
      ...present({ clusterIP: options.clusterIP, type: options.type }),
      selector: options.selector ?? { app: name },
      ports: options.ports ?? [{ port: 80, protocol: "TCP", targetPort: 80 }],
      ...options.spec,
    },
  };
}

export interface DeploymentOptions extends MetaOptions {
  readonly replicas?: number;
  /** Of the selector and the template; `{ app: <name> }` unless told. */
  readonly podLabels?: Labels;
  /** The template's pod. */
  readonly pod?: PodOptions;
  readonly spec?: Partial<DeploymentSpec>;
}

/** A Deployment in namespace `default` of one replica. */
export function makeDeployment(name: string, options: DeploymentOptions = {}): Deployment {
  const podLabels = options.podLabels ?? { app: name };
  const { spec } = makePod(name, options.pod ?? {});
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: makeMeta("Deployment", name, { ...options, namespace: options.namespace ?? "default" }),
    spec: {
      replicas: options.replicas ?? 1,
      selector: { matchLabels: podLabels },
      template: { metadata: { labels: podLabels }, ...(spec === undefined ? {} : { spec }) },
      ...options.spec,
    },
  };
}

/** Metadata as of an object that a server might have given out. Its resourceVersion is empty, so that it may be created. */
export function makeMeta(kind: string, name: string, options: MetaOptions = {}): ObjectMeta {
  const { namespace, labels, annotations, deletionTimestamp, ownerReferences } = options;
  return {
    name,
    ...present({ namespace, labels, annotations, deletionTimestamp, ownerReferences }),
    uid: options.uid ?? [kind.toLowerCase(), namespace, name].filter((part) => part !== undefined).join("-"),
    resourceVersion: options.resourceVersion ?? "",
    creationTimestamp: options.creationTimestamp ?? "2026-01-01T00:00:00Z",
  };
}

type Present<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

function present<T extends object>(fields: T): Present<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Present<T>;
}
