import type { Pod, Service } from "../../api/index.js";
import type { Client, EventRecorder } from "../../client/index.js";
import type { Clock } from "../../internal/clock.js";
import type { Logger } from "../../internal/logger.js";
import type { Runtime } from "../../runtime/index.js";
import type { DeviceManager } from "../devices/device-manager.js";
import type { DynamicResources } from "../dra/dynamic-resources.js";
import type { PodObjects } from "../pod-objects.js";
import type { ProbeManager } from "../probes/probe-manager.js";
import type { PodCgroups } from "../resize/pod-cgroups.js";
import type { Resizes } from "../resize/resizes.js";
import type { VolumeManager } from "../volumes/volume-manager.js";
import type { HookRunner } from "./hooks.js";
import type { ImagePuller } from "./image-puller.js";
import type { PodRecord } from "./pod-record.js";
import type { PodVerdict } from "./pod-status.js";
import type { RestartBackoff } from "./restart-backoff.js";
import type { NetworkFacts } from "./sandbox-config.js";
import type { StatusWriter } from "./status-writer.js";

export interface NodeFacts {
  readonly nodeName: string;
  readonly hostIps: readonly string[];
  readonly allocatable: Readonly<Record<string, string>>;
  readonly memoryBytes: number;
}

/** What all pod workers of a node share. */
export interface NodeContext {
  readonly client: Client;
  readonly runtime: Runtime;
  readonly runtimeName: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly events: EventRecorder;
  readonly images: ImagePuller;
  readonly probes: ProbeManager;
  readonly hooks: HookRunner;
  readonly backoff: RestartBackoff;
  readonly objects: PodObjects;
  readonly statuses: StatusWriter;
  /** Absent on a node that keeps nothing on disk: its pods' volumes count as mounted. */
  readonly volumes?: VolumeManager | undefined;
  readonly logRoot?: string | undefined;
  readonly cgroupRoot?: string | undefined;
  /** Absent where pods have no control group that is known. */
  readonly cgroups?: PodCgroups | undefined;
  readonly resizes: Resizes;
  /** Absent where no device plugins are. */
  readonly devices?: DeviceManager | undefined;
  /** Absent on a node that keeps nothing on disk: its pods' claims count as prepared. */
  readonly claims?: DynamicResources | undefined;
  readonly network: NetworkFacts;
  readonly signal: AbortSignal;
  services(): Iterable<Service>;
  /** Resolves when the Services are known, so that no container misses their variables. */
  servicesReady(signal: AbortSignal): Promise<void>;
  facts(): NodeFacts;
  /** Whether a pod new to this node may run here; undefined: it may. */
  admit(record: PodRecord): PodVerdict | undefined;
  /** A pod that an earlier agent took in. */
  readmit(record: PodRecord): void;
  /** All its containers have ended: it takes nothing any more. */
  ended(podUid: string): void;
  /** The pod is gone from the API and from the host. */
  forget(podUid: string): void;
}

/** An event about one container of a pod, or about the pod. */
export function podEvent(
  { events }: Pick<NodeContext, "events">,
  pod: Pod,
  type: "Normal" | "Warning",
  reason: string,
  message: string,
  fieldPath?: string,
): void {
  const { name, namespace = "", uid, resourceVersion } = pod.metadata;
  const about = { apiVersion: "v1", kind: "Pod", name, namespace, uid, resourceVersion };
  events.event(fieldPath === undefined ? about : { ...about, fieldPath }, type, reason, message);
}
