import type { Node, Pod } from "../../api/index.js";
import type { Client } from "../../client/index.js";
import type { Clock } from "../../internal/clock.js";
import type { Random } from "../../internal/random.js";
import type { ClusterListers } from "./listers.js";
import type { ResourceAmounts } from "./resources.js";
import type { VectorCompiler } from "./vector.js";

/**
 * One concern of scheduling: a plain object whose methods are upstream's extension points. Every method is optional, so
 * ten lines suffice for a filter or a score.
 *
 * All inputs are frozen snapshots shared with other policies; they are valid during the call and do not change later.
 * An expected "no" is a returned value. A policy that throws, returns a score that is not a finite number, or exceeds its time fails
 * the cycle of its pod with an event, and nothing else. Except where a Promise is in the type, methods are synchronous.
 *
 * Order within a cycle: preEnqueue, queueSort | preFilter, filter, postFilter (only when no node passed), preScore,
 * score, normalizeScore, reserve, permit | preBind, bind, postBind. The last three run beside other pods' cycles.
 */
export interface SchedulingPolicy {
  /** Unique within a profile. It is in messages, in configuration and in explanations. */
  readonly name: string;

  /** Whether the pod may enter the active queue. Asked again after each update of the pod and each event of `requeueWhen`. */
  preEnqueue?(pod: Pod): Verdict;

  /** Negative when `a` is to be scheduled before `b`. One policy of a scheduler has it; it must be a strict weak order. */
  queueSort?(a: QueuedPod, b: QueuedPod): number;

  /**
   * Once per pod, before any node is looked at. A rejection ends the cycle. `skip` leaves out this policy's `filter` for this pod;
   * `nodeNames` narrows the nodes that are looked at.
   */
  preFilter?(pod: Pod, cycle: Cycle): Verdict | PreFilterResult;

  /**
   * A promise that makes a policy of your own nearly as fast as the built-in ones. Everything that `filter` and `score` read of the
   * pod, as text: of pods with the same text they say the same of a node for as long as its snapshot is the same. So they are asked
   * only about nodes that changed, and all nodes are compared instead of a sample. `undefined`: no promise for this pod. Not for
   * policies that look at the rest of the cluster, at the time or at chance, nor for those with preFilter, preScore or normalizeScore.
   */
  signPod?(pod: Pod): string | undefined;

  /** Whether the pod could run on the node. Called for many nodes per pod, in no promised order; keep it cheap. */
  filter?(pod: Pod, node: NodeSnapshot, cycle: Cycle): Verdict;

  /** When no node passed: make room or explain. The first policy that nominates a node ends the round. */
  postFilter?(pod: Pod, failure: ScheduleFailure, cycle: Cycle): PostFilterResult | undefined;

  /** Once per pod with the nodes that passed. `skip` leaves out this policy's `score` for this pod. */
  preScore?(pod: Pod, nodes: readonly NodeSnapshot[], cycle: Cycle): { readonly skip?: boolean } | undefined;

  /** Higher is better. From 0 to 100, unless `normalizeScore` brings it there. Finite. */
  score?(pod: Pod, node: NodeSnapshot, cycle: Cycle): number;

  /** Turns the scores of all nodes that passed into 0..100. Same length, same order; the input is not to be changed. */
  normalizeScore?(pod: Pod, scores: readonly number[], nodes: readonly NodeSnapshot[], cycle: Cycle): readonly number[];

  /** Whether reserve to postBind are called for the pod. Absent: they are for every pod, and each costs a little. */
  concerns?(pod: Pod): boolean;

  /** Takes what the pod needs on the node. A rejection undoes all reservations of the cycle. */
  reserve?(pod: Pod, node: NodeSnapshot, cycle: Cycle): Verdict;

  /** Gives it back. Called in reverse order for every policy when a later step fails; must be idempotent and not fail. */
  unreserve?(pod: Pod, node: NodeSnapshot, cycle: Cycle): void;

  /** Lets the pod go on, rejects it, or makes it wait until `WaitingPod.allow`, at most `waitMs`. */
  permit?(pod: Pod, node: NodeSnapshot, cycle: Cycle): Verdict | Wait;

  /** Work that must be done before the binding, such as provisioning a volume. May take time; `signal` aborts with the scheduler. */
  preBind?(pod: Pod, node: NodeSnapshot, cycle: Cycle, signal: AbortSignal): Promise<Verdict> | Verdict;

  /** Binds in place of the API's binding subresource. `"skip"` leaves it to the next policy. */
  bind?(pod: Pod, node: NodeSnapshot, cycle: Cycle, signal: AbortSignal): Promise<Verdict | "skip"> | Verdict | "skip";

  /** After the binding was accepted. */
  postBind?(pod: Pod, node: NodeSnapshot, cycle: Cycle): void;

  /**
   * Which cluster events can make a pod schedulable that this policy rejected; such a pod rests until one of them. Absent:
   * every event may. An empty list: none.
   */
  readonly requeueWhen?: readonly RequeueInterest[];

  /**
   * How the built-in policies are made fast: compiled once per kind of pod over columns instead of called per node. Must
   * decide exactly as filter, score and normalizeScore do. Not needed for policies of your own.
   */
  readonly vector?: VectorCompiler;
}

/** `undefined` is yes. A string is a no that removing other pods might cure. */
export type Verdict = undefined | string | Rejection;

export interface Rejection {
  /** As in upstream's messages: `Insufficient cpu`. More than one when a node fails in several ways. */
  readonly reasons: readonly string[];
  /** True: removing pods from the node would not help, so preemption passes it by. */
  readonly unresolvable?: boolean;
}

export interface PreFilterResult {
  readonly skip?: boolean;
  /** Only these need to be looked at. Intersected with those of other policies. */
  readonly nodeNames?: ReadonlySet<string>;
}

export interface Wait {
  /** The pod waits at most so long, then is rejected. */
  readonly waitMs: number;
}

export interface PostFilterResult {
  /** The node on which room is being made. */
  readonly nominatedNodeName?: string;
  /** Pods on that node that the scheduler is to evict, most important first. */
  readonly victims?: readonly Pod[];
  /** For the event and the condition, without full stop: `preemption: 0/3 nodes are available: ...`. */
  readonly message?: string;
}

/** What a policy is told of the nodes that did not pass. */
export interface ScheduleFailure {
  readonly nodeCount: number;
  /** How many nodes have a rejection that removing pods might cure. */
  readonly resolvableCount: number;
  /** Those nodes, in an order that starts anywhere: from where a share of `start` (0..1) of all nodes lies behind. */
  resolvableNodes(start: number): Iterable<ResolvableNode>;
  /** Whether any node has a pod of lower priority; without, nothing can be preempted. */
  hasPodBelow(priority: number): boolean;
  /** Why a node did not pass, with the policy that said so. */
  verdictOf(nodeName: string): NodeVerdict | undefined;
  /** What filters would say of the node if these pods were not on it; `undefined`: the pod would pass. */
  verdictWithout(nodeName: string, gone: readonly Pod[]): NodeVerdict | undefined;
  /** The node by its id, if it is one of those that removing pods might help. */
  resolvableNode(id: number): ResolvableNode | undefined;
  /** On which room is promised to the pod itself. */
  readonly ownNode: number | undefined;
  /**
   * For remembering: pods of the same likeness and priority get the same answers about a node that did not change, unless it is
   * the `ownNode` of either. Absent where there is no such promise.
   */
  readonly likeness: object | undefined;
  readonly changes: NodeChanges;
  readonly random: Random;
  /** Milliseconds of the scheduler's clock. */
  readonly nowMs: number;
}

export interface ResolvableNode {
  /** The same as long as the node exists; another node may have it afterwards. */
  readonly id: number;
  readonly name: string;
}

/** Which nodes changed: they themselves, pods on them, or what is promised to pods there. */
export interface NodeChanges {
  /** How many changes there have ever been. */
  readonly sequence: number;
  /** The ids of nodes changed after the first so many changes; `undefined`: too many to tell, so that any may have changed. */
  since(sequence: number): readonly number[] | undefined;
}

export interface NodeVerdict extends Rejection {
  readonly policy: string;
}

/** What lives for one pod's cycle. `state` is the policies' own scratch space, keyed by their names. */
export interface Cycle {
  readonly snapshot: ClusterSnapshot;
  readonly state: Map<string, unknown>;
  /** Somebody only wants to know, as explanations do: nothing may come of it. */
  readonly dryRun?: boolean;
  /** How to reach the cluster in preBind and bind; absent where nothing is bound, as in simulations. */
  readonly host?: { readonly client: Client; readonly clock: Clock };
}

/** The cluster as of the start of a cycle, with pods that are being bound counted as bound. */
export interface ClusterSnapshot {
  readonly nodes: readonly NodeSnapshot[];
  node(name: string): NodeSnapshot | undefined;
  /** Objects other than nodes and pods. */
  readonly listers: ClusterListers;
}

export interface NodeSnapshot {
  readonly name: string;
  readonly node: Node;
  /** Bound, or being bound. */
  readonly pods: readonly Pod[];
  /** What pods may use: `pods` is the limit on their number. */
  readonly allocatable: ResourceAmounts;
  /** The sum of the pods' requests. */
  readonly requested: ResourceAmounts;
  /** cpu and memory where a container without a request counts as 100m and 200 MiB, as scoring has it. */
  readonly nonzeroRequested: ResourceAmounts;
}

/** A pod in the queue. */
export interface QueuedPod {
  readonly pod: Pod;
  readonly priority: number;
  /** When it came into the queue this time, ms of the clock, and a number that breaks ties. */
  readonly timestampMs: number;
  readonly sequence: number;
  readonly attempts: number;
}

export type EventResource =
  | "Node"
  | "AssignedPod"
  | "UnscheduledPod"
  | "PersistentVolume"
  | "PersistentVolumeClaim"
  | "StorageClass"
  | "CSINode"
  | "CSIDriver"
  | "CSIStorageCapacity"
  | "VolumeAttachment"
  | "Service"
  | "ReplicaSet"
  | "StatefulSet"
  | "ReplicationController"
  | "Namespace"
  | "PodDisruptionBudget"
  | "ResourceClaim"
  | "ResourceSlice"
  | "DeviceClass"
  | "*";

/** What happened. Updates of nodes say what changed; one event may be several. */
export type EventAction =
  | "Add"
  | "Delete"
  | "Update"
  | "UpdateNodeAllocatable"
  | "UpdateNodeLabel"
  | "UpdateNodeTaint"
  | "UpdateNodeDeclaredFeature"
  | "UpdatePodLabel"
  | "UpdatePodScaleDown"
  | "UpdatePodToleration"
  | "UpdatePodSchedulingGatesEliminated"
  | "UpdatePodGeneratedResourceClaim";

export interface ClusterEvent {
  readonly resource: EventResource;
  readonly actions: readonly EventAction[];
  /** The object before (absent: added) and after (absent: deleted). */
  readonly old?: unknown;
  readonly object?: unknown;
  /** Of `AssignedPod`: the pod's node as it is now, if it is known. */
  readonly node?: NodeSnapshot | undefined;
}

export interface RequeueInterest {
  readonly resource: EventResource;
  /** Absent: all. */
  readonly actions?: readonly EventAction[];
  /** A closer look: whether this event can help this pod. Absent: it can. */
  readonly hint?: (pod: Pod, event: ClusterEvent) => boolean;
}

/** A rejection that no removal of pods would cure. */
export function unresolvable(...reasons: string[]): Rejection {
  return { reasons, unresolvable: true };
}

export function toRejection(verdict: Exclude<Verdict, undefined>): Rejection {
  return typeof verdict === "string" ? { reasons: [verdict] } : verdict;
}
