import type { Pod, PodStatus } from "../../api/index.js";
import type { MountedVolumes } from "../volumes/volume-manager.js";
import type { Waiting } from "./container-statuses.js";
import type { PodVerdict } from "./pod-status.js";
import { noRuntimeState, type PodRuntimeState } from "./runtime-state.js";

/** All that the node knows of one pod. Changed only by the pod's worker, but for `pod`, `dirty` and `gone`. */
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
  startTime: string | undefined;
  status: PodStatus | undefined;
  verdict: PodVerdict | undefined;
  /** Set once the pod is to end; it never goes back. */
  terminating = false;
  /** All containers have ended for good. */
  terminated = false;

  constructor(pod: Pod) {
    this.pod = pod;
  }

  get uid(): string {
    return this.pod.metadata.uid;
  }
}
