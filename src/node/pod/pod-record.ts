import type { Pod, PodStatus } from "../../api/index.js";
import { type PodResources, withResources } from "../resize/pod-resources.js";
import type { MountedVolumes } from "../volumes/volume-manager.js";
import type { Waiting } from "./container-statuses.js";
import type { PodVerdict } from "./pod-status.js";
import { noRuntimeState, type PodRuntimeState } from "./runtime-state.js";

/** Where a change of resources stands; both may be at once, when another is wanted before the one before is done. */
export interface ResizeState {
  /** The node has no room for what the API wants. */
  pending?:
    | {
        readonly reason: "Deferred" | "Infeasible";
        readonly message: string;
        readonly generation: number | undefined;
        readonly sinceMs: number;
      }
    | undefined;
  /** The pod was promised what its containers are not held to yet. */
  inProgress?:
    | {
        readonly reason?: "Error" | undefined;
        readonly message?: string | undefined;
        readonly generation: number | undefined;
      }
    | undefined;
}

/** All that the node knows of one pod. Changed only by the pod's worker, but for `pod`, `dirty`, `gone` and what is promised. */
export class PodRecord {
  /** The newest version from the API. */
  pod: Pod;
  state: PodRuntimeState = noRuntimeState;
  /** `state` is not what the runtime holds any more. */
  dirty = true;
  /** The API no longer has the pod. */
  gone = false;
  readonly waiting: Map<string, Waiting> = new Map();
  readonly messages: Map<string, string> = new Map();
  /** Running containers whose postStart hook has not returned. */
  readonly starting: Set<string> = new Set();
  volumes: MountedVolumes | undefined;
  /** Whether its runtime handler can make mounts read-only with all that is below them. */
  recursiveReadOnly = false;
  startTime: string | undefined;
  status: PodStatus | undefined;
  verdict: PodVerdict | undefined;
  /** The longest that the node gives its containers to end, whatever the pod says. */
  graceSeconds: number | undefined;
  /** Set once the pod is to end; it never goes back. */
  terminating = false;
  /** All containers have ended for good. */
  terminated = false;
  /** What the node has promised the pod, by which it works; undefined: it was not taken in. */
  allocation: PodResources | undefined;
  /** What running containers are held to, as last applied. */
  actuated: PodResources = { containers: new Map() };
  readonly resize: ResizeState = {};
  #allocated: { readonly pod: Pod; readonly allocation: PodResources | undefined; readonly result: Pod } | undefined;

  constructor(pod: Pod) {
    this.pod = pod;
  }

  get uid(): string {
    return this.pod.metadata.uid;
  }

  /** The pod with the resources that it was promised: `pod` itself where they are those it asks for. */
  get allocated(): Pod {
    const { pod, allocation } = this;
    if (this.#allocated?.pod !== pod || this.#allocated.allocation !== allocation) {
      this.#allocated = { pod, allocation, result: withResources(pod, allocation) };
    }
    return this.#allocated.result;
  }

  /** The pod with the resources that its running containers are held to. */
  get actuatedPod(): Pod {
    const { containers, pod } = this.actuated;
    return withResources(this.allocated, { pod, containers });
  }
}
