import { createHash } from "node:crypto";
import type { CSIDriver, Node, PersistentVolume, PersistentVolumeClaim, Pod } from "../../api/index.js";
import type { Lister } from "../../client/index.js";
import { isFinished, isTerminating } from "../shared/pods.js";

const managed = "volumes.kubernetes.io/controller-managed-attach-detach";
const keepTerminated = "volumes.kubernetes.io/keep-terminated-pod-volumes";

/** A volume that must be attached to a node before it can be mounted there. */
export interface Attachable {
  readonly volume: string;
  readonly driver: string;
  readonly handle: string;
  /** By one node at a time only. */
  readonly exclusive: boolean;
}

/** The node's agent leaves attaching to this controller. */
export function isManaged({ metadata }: Node): boolean {
  return metadata.annotations?.[managed] === "true";
}

/** Whether a pod on the node holds its volumes there. */
export function holdsVolumes(pod: Pod, node: Node): boolean {
  const running = (pod.status?.containerStatuses ?? []).some(
    ({ state }) => state?.terminated === undefined && state?.waiting === undefined,
  );
  const ended = isFinished(pod) || (isTerminating(pod) && !running);
  return !ended || node.metadata.annotations?.[keepTerminated] === "true";
}

/** What is bound to a claim, where it is a volume of a CSI driver that wants to attach. */
export function attachableOf(
  claim: PersistentVolumeClaim | undefined,
  volumes: Lister<PersistentVolume>,
  drivers: Lister<CSIDriver>,
): Attachable | undefined {
  const volume = volumes.get(claim?.spec?.volumeName ?? "");
  const uid = volume?.spec?.claimRef?.uid;
  if (claim === undefined || volume === undefined || uid === undefined || uid !== claim.metadata.uid) return undefined;
  return attachable(volume, drivers);
}

export function attachable({ metadata, spec }: PersistentVolume, drivers: Lister<CSIDriver>): Attachable | undefined {
  const source = spec?.csi;
  if (source === undefined || drivers.get(source.driver)?.spec.attachRequired === false) return undefined;
  const exclusive = (spec?.accessModes ?? []).every((mode) => !mode.endsWith("Many"));
  return { volume: metadata.name, driver: source.driver, handle: source.volumeHandle, exclusive };
}

/** As upstream names VolumeAttachments, so that either finds what the other made. */
export function attachmentName({ driver, handle }: Attachable, node: string): string {
  return `csi-${createHash("sha256").update(`${handle}${driver}${node}`).digest("hex")}`;
}

export const csiPrefix = "kubernetes.io/csi/";

/** As nodes have it in `volumesAttached` and `volumesInUse`. */
export function uniqueName({ driver, handle }: Attachable): string {
  return `${csiPrefix}${driver}^${handle}`;
}
