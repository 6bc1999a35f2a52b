import { type Pod, persistentVolumeClaims, pods, type Volume } from "../../api/index.js";
import type { Controller } from "../controller.js";
import { defineStatefulController, type ReconcileContext } from "../define-controller.js";
import { controllerReference, isControlledBy } from "../shared/owners.js";
import { isFinished } from "../shared/pods.js";
import { getOrUndefined } from "../shared/write-status.js";

/** Makes the claims of pods' ephemeral volumes. They go with the pod. */
export const ephemeralVolumeController: Controller = defineStatefulController<Pod>({
  name: "ephemeral-volume-controller",
  aliases: ["ephemeral-volume"],
  for: pods,
  prepare: (context) => {
    const podInformer = context.informer(pods);
    const claims = context.informer(persistentVolumeClaims);
    return async (key, reconcile) => {
      const pod = podInformer.get(key);
      if (pod === undefined || pod.metadata.deletionTimestamp !== undefined || isFinished(pod)) return;
      for (const volume of pod.spec?.volumes ?? []) {
        if (volume.ephemeral === undefined) continue;
        const name = `${pod.metadata.name}-${volume.name}`;
        const known = claims.get(`${pod.metadata.namespace}/${name}`);
        if (known === undefined || !isControlledBy(known, pod)) await make(reconcile, pod, volume, name);
      }
    };
  },
});

async function make(
  { client, events, signal }: ReconcileContext,
  pod: Pod,
  volume: Volume,
  name: string,
): Promise<void> {
  const { namespace } = pod.metadata;
  const metadata = { name, ...(namespace === undefined ? {} : { namespace }) };
  const there = await getOrUndefined(client, persistentVolumeClaims, { metadata }, signal);
  if (there !== undefined) {
    if (isControlledBy(there, pod)) return;
    const why = `PVC ${namespace}/${name} was not created for pod ${namespace}/${pod.metadata.name} (pod is not owner)`;
    events.event(pod, "Warning", "EphemeralVolumeConflict", why);
    throw new Error(why);
  }
  const { metadata: marks, spec } = volume.ephemeral?.volumeClaimTemplate ?? { spec: {} };
  await client.create(
    persistentVolumeClaims,
    {
      apiVersion: "v1",
      kind: "PersistentVolumeClaim",
      metadata: {
        ...metadata,
        ...(marks?.labels === undefined ? {} : { labels: marks.labels }),
        ...(marks?.annotations === undefined ? {} : { annotations: marks.annotations }),
        ownerReferences: [controllerReference(pod, pods)],
      },
      spec,
    },
    { signal },
  );
}
