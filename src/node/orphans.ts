import type { Logger } from "../internal/logger.js";
import type { Runtime } from "../runtime/index.js";
import { runtimeLabels } from "./pod/runtime-state.js";
import type { VolumeManager } from "./volumes/volume-manager.js";

export interface OrphanOptions {
  readonly runtime: Runtime;
  readonly logger: Logger;
  readonly volumes: VolumeManager | undefined;
  isKnown(podUid: string): boolean;
}

/** Ends what the runtime holds of pods that this node has no business with any more. */
export async function removeOrphans(options: OrphanOptions, signal: AbortSignal): Promise<void> {
  const { runtime, logger, volumes, isKnown } = options;
  for (const { id, labels, metadata } of await runtime.listPodSandboxes({}, { signal })) {
    const podUid = labels[runtimeLabels.podUid] ?? metadata.uid;
    if (isKnown(podUid)) continue;
    logger.info("removing a pod that is not bound here any more", { pod: metadata.name, podUid });
    const containers = await runtime.listContainers({ sandboxId: id, state: "running" }, { signal });
    await Promise.all(containers.map((container) => runtime.stopContainer(container.id, 1, { signal })));
    await runtime.removePodSandbox(id, { signal });
    await volumes?.unmount(podUid, signal);
  }
}
