import {
  type AttachedVolume,
  type CSIDriver,
  csiDrivers,
  isStatusError,
  type Node,
  nodes,
  type PersistentVolume,
  type PersistentVolumeClaim,
  type Pod,
  persistentVolumeClaims,
  persistentVolumes,
  pods,
  type VolumeAttachment,
  volumeAttachments,
} from "../../api/index.js";
import type { Informer } from "../../client/index.js";
import type { Controller } from "../controller.js";
import { defineStatefulController, type ReconcileContext } from "../define-controller.js";
import { isTrue } from "../shared/conditions.js";
import { equalJson } from "../shared/hash.js";
import { claimKeysOf, indexByClaim, indexByNode, podsOn, podsUsing } from "../shared/pod-indexes.js";
import { deleteExactly } from "../shared/write-status.js";
import {
  type Attachable,
  attachable,
  attachableOf,
  attachmentName,
  csiPrefix,
  holdsVolumes,
  isManaged,
  uniqueName,
} from "./attachments.js";

/** So long a node that is not ready may take to unmount, before its volumes are taken from it. */
const unmountMs = 6 * 60_000;
const outOfService = "node.kubernetes.io/out-of-service";
const byNode = "node";
const byVolume = "volume";

/**
 * Says by VolumeAttachments which volumes of CSI drivers are to be attached to which nodes, and by the nodes' status which are. The drivers
 * attach them. Only for nodes whose agents leave it to a controller.
 */
export const attachDetachController: Controller = defineStatefulController<Node>({
  name: "persistentvolume-attach-detach-controller",
  aliases: ["attachdetach"],
  account: "attachdetach-controller",
  eventSource: "attachdetach-controller",
  for: nodes,
  prepare: (context, enqueue) => {
    const known: Known = {
      nodes: context.informer(nodes),
      pods: context.informer(pods),
      claims: context.informer(persistentVolumeClaims),
      volumes: context.informer(persistentVolumes),
      drivers: context.informer(csiDrivers),
      attachments: context.informer(volumeAttachments),
      made: new Set(),
      unwantedSince: new Map(),
    };
    indexByNode(known.pods);
    indexByClaim(known.pods);
    known.attachments.addIndex(byNode, ({ spec }) => [spec.nodeName]);
    known.attachments.addIndex(byVolume, ({ spec }) => [spec.source.persistentVolumeName ?? ""]);
    const podChanged = (pod: Pod): void => {
      if (pod.spec?.nodeName && claimKeysOf(pod).length > 0) enqueue(pod.spec.nodeName);
    };
    const claimChanged = ({ metadata }: PersistentVolumeClaim): void => {
      for (const pod of podsUsing(known.pods, `${metadata.namespace}/${metadata.name}`)) podChanged(pod);
    };
    const volumeChanged = (name: string): void => {
      const claim = known.volumes.get(name)?.spec?.claimRef;
      for (const pod of podsUsing(known.pods, `${claim?.namespace}/${claim?.name}`)) podChanged(pod);
    };
    known.pods.addHandler({ add: podChanged, update: (_, pod) => podChanged(pod), delete: podChanged });
    known.claims.addHandler({ add: claimChanged, update: (_, claim) => claimChanged(claim) });
    known.volumes.addHandler({ add: ({ metadata }) => volumeChanged(metadata.name) });
    const attachmentChanged = ({ spec }: VolumeAttachment): void => enqueue(spec.nodeName);
    known.attachments.addHandler({
      add: attachmentChanged,
      update: (_, attachment) => attachmentChanged(attachment),
      delete: (attachment) => {
        known.made.delete(attachment.metadata.uid);
        attachmentChanged(attachment);
        // Another node may wait for the volume.
        volumeChanged(attachment.spec.source.persistentVolumeName ?? "");
      },
    });
    return (key, reconcile) => syncNode(key, known, reconcile);
  },
});

interface Known {
  readonly nodes: Informer<Node>;
  readonly pods: Informer<Pod>;
  readonly claims: Informer<PersistentVolumeClaim>;
  readonly volumes: Informer<PersistentVolume>;
  readonly drivers: Informer<CSIDriver>;
  readonly attachments: Informer<VolumeAttachment>;
  /** By uid: of which their pods have not been told yet how it went. */
  readonly made: Set<string>;
  /** By the attachment's name, in ms. */
  readonly unwantedSince: Map<string, number>;
}

interface Wanted extends Attachable {
  readonly pods: readonly Pod[];
}

async function syncNode(
  name: string,
  known: Known,
  context: ReconcileContext,
): Promise<{ readonly requeueAfterMs: number } | undefined> {
  const node = known.nodes.get(name);
  if (node !== undefined && !isManaged(node)) return undefined;
  const wanted = node === undefined ? new Map<string, Wanted>() : wantedOn(node, known);
  const there = [...known.attachments.byIndex(byNode, name)].filter((one) => isOurs(one, known));
  for (const [attachment, volume] of wanted) {
    if (there.some(({ metadata }) => metadata.name === attachment)) known.unwantedSince.delete(attachment);
    else await attach(name, attachment, volume, known, context);
  }
  const leaving = there.filter(({ metadata }) => !wanted.has(metadata.name));
  const waits = leaving.map((attachment) => waitMs(attachment, node, known, context));
  const free = leaving.filter((_, index) => waits[index] === 0);
  if (node !== undefined) {
    const attached = there.filter((one) => !free.includes(one) && one.status?.attached === true);
    await tellNode(node, attached, known, context);
  }
  // Only once the node says that it has them no more: else its agent could mount one meanwhile.
  for (const attachment of free) {
    known.unwantedSince.delete(attachment.metadata.name);
    if (attachment.metadata.deletionTimestamp !== undefined) continue;
    await deleteExactly(context.client, volumeAttachments, attachment, { signal: context.signal });
  }
  for (const attachment of there) tellPods(attachment, wanted.get(attachment.metadata.name), known, context);
  const left = waits.filter((ms) => ms > 0);
  return left.length === 0 ? undefined : { requeueAfterMs: Math.min(...left) };
}

/** By the name of the attachment. */
function wantedOn(node: Node, { pods: podInformer, claims, volumes, drivers }: Known): ReadonlyMap<string, Wanted> {
  const wanted = new Map<string, Wanted>();
  for (const pod of podsOn(podInformer, node.metadata.name)) {
    if (!holdsVolumes(pod, node)) continue;
    for (const key of claimKeysOf(pod)) {
      const volume = attachableOf(claims.get(key), volumes, drivers);
      if (volume === undefined) continue;
      const name = attachmentName(volume, node.metadata.name);
      wanted.set(name, { ...volume, pods: [...(wanted.get(name)?.pods ?? []), pod] });
    }
  }
  return wanted;
}

/** What people attach themselves is theirs. */
function isOurs({ metadata, spec }: VolumeAttachment, { volumes }: Known): boolean {
  const csi = volumes.get(spec.source.persistentVolumeName ?? "")?.spec?.csi;
  // Without its volume nothing can be said but that it has the form of the names here.
  if (csi === undefined)
    return spec.source.persistentVolumeName !== undefined && /^csi-[0-9a-f]{64}$/.test(metadata.name);
  const volume = { volume: "", driver: csi.driver, handle: csi.volumeHandle, exclusive: false };
  return metadata.name === attachmentName(volume, spec.nodeName);
}

async function attach(
  node: string,
  name: string,
  { pods: users, volume, driver, exclusive }: Wanted,
  { attachments, made }: Known,
  { client, events, signal }: ReconcileContext,
): Promise<void> {
  const elsewhere = [...attachments.byIndex(byVolume, volume)].some(({ spec }) => spec.nodeName !== node);
  if (exclusive && elsewhere) {
    const why = "Volume is already exclusively attached to one node and can't be attached to another";
    for (const pod of users) {
      events.event(pod, "Warning", "FailedAttachVolume", `Multi-Attach error for volume "${volume}" ${why}`);
    }
    return;
  }
  try {
    const spec = { attacher: driver, nodeName: node, source: { persistentVolumeName: volume } };
    const created = await client.create(
      volumeAttachments,
      { apiVersion: "storage.k8s.io/v1", kind: "VolumeAttachment", metadata: { name }, spec },
      { signal },
    );
    made.add(created.metadata.uid);
  } catch (error) {
    if (!isStatusError(error, "AlreadyExists")) throw error;
  }
}

/** How long until an attachment that nobody needs may go: not while its volume is mounted, unless the node is lost. */
function waitMs(
  { metadata, spec }: VolumeAttachment,
  node: Node | undefined,
  { volumes, drivers, unwantedSince }: Known,
  { clock }: ReconcileContext,
): number {
  if (node === undefined || (node.spec?.taints ?? []).some(({ key }) => key === outOfService)) return 0;
  const volume = volumes.get(spec.source.persistentVolumeName ?? "");
  const known = volume === undefined ? undefined : attachable(volume, drivers);
  const inUse = node.status?.volumesInUse ?? [];
  if (known === undefined || !inUse.includes(uniqueName(known))) return 0;
  const since = unwantedSince.get(metadata.name) ?? clock.now();
  unwantedSince.set(metadata.name, since);
  const leftMs = Math.max(0, since + unmountMs - clock.now());
  // A node that is ready says when it has unmounted; until then there is nothing to do but to look now and then.
  return isTrue(node.status?.conditions, "Ready") ? Math.max(leftMs, unmountMs) : leftMs;
}

async function tellNode(
  node: Node,
  attachments: readonly VolumeAttachment[],
  { volumes }: Known,
  { client, signal }: ReconcileContext,
): Promise<void> {
  const before = node.status?.volumesAttached ?? [];
  const others = before.filter(({ name }) => !name.startsWith(csiPrefix));
  const ours = attachments.flatMap(({ spec }): readonly AttachedVolume[] => {
    const csi = volumes.get(spec.source.persistentVolumeName ?? "")?.spec?.csi;
    return csi === undefined ? [] : [{ name: `${csiPrefix}${csi.driver}^${csi.volumeHandle}`, devicePath: "" }];
  });
  const after = [...others, ...ours.sort((a, b) => (a.name < b.name ? -1 : 1))];
  if (equalJson(before, after)) return;
  const body = { metadata: { uid: node.metadata.uid }, status: { volumesAttached: after.length === 0 ? null : after } };
  const { name } = node.metadata;
  await client.patch(nodes, { name }, { type: "merge", body }, { subresource: "status", signal });
}

/** Of what was made here, once: that it is attached, or why not. */
function tellPods(
  { metadata, spec, status }: VolumeAttachment,
  wanted: Wanted | undefined,
  { made }: Known,
  { events }: ReconcileContext,
): void {
  if (wanted === undefined || !made.has(metadata.uid)) return;
  const volume = spec.source.persistentVolumeName;
  if (status?.attached === true) {
    made.delete(metadata.uid);
    const message = `AttachVolume.Attach succeeded for volume "${volume}" `;
    for (const pod of wanted.pods) events.event(pod, "Normal", "SuccessfulAttachVolume", message);
  } else if (status?.attachError !== undefined) {
    const message = `AttachVolume.Attach failed for volume "${volume}" : ${status.attachError.message ?? ""}`;
    for (const pod of wanted.pods) events.event(pod, "Warning", "FailedAttachVolume", message);
  }
}
