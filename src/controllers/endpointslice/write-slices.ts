import {
  type EndpointSlice,
  endpointSlices,
  isStatusError,
  type KubeObject,
  type ResourceType,
} from "../../api/index.js";
import type { ReconcileContext } from "../define-controller.js";
import { equalJson } from "../shared/hash.js";
import { controllerReference } from "../shared/owners.js";
import { messageOf } from "../shared/pod-control.js";
import type { SliceChanges } from "./slices.js";

export const serviceName = "kubernetes.io/service-name";
export const managedBy = "endpointslice.kubernetes.io/managed-by";

/** The key of the service that a slice is of; undefined when somebody else than `manager` keeps the slice. */
export function serviceKeyOf(
  { metadata: { namespace = "", labels } }: EndpointSlice,
  manager: string,
): string | undefined {
  const name = labels?.[serviceName];
  return name === undefined || labels?.[managedBy] !== manager ? undefined : `${namespace}/${name}`;
}

export interface SliceWrites {
  /** Whom the slices go with, and who is told of failures. */
  readonly owner: KubeObject;
  readonly ownerResource: ResourceType;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  /** All slices there are: their labels and annotations follow too. */
  readonly existing: readonly EndpointSlice[];
  /** How the event about a failure begins. */
  readonly failure: string;
  wrote(slice: EndpointSlice): void;
  deleted(slice: EndpointSlice): void;
}

/** Carries a plan out. */
export async function writeSlices(
  { client, events, signal }: ReconcileContext,
  { create, update, remove }: SliceChanges,
  { owner, ownerResource, labels, annotations, existing, failure, wrote, deleted }: SliceWrites,
): Promise<void> {
  const follows = ({ metadata }: EndpointSlice): boolean =>
    equalJson(metadata.labels, labels) &&
    (annotations === undefined || equalJson(metadata.annotations ?? {}, annotations));
  const marks = annotations === undefined ? { labels } : { labels, annotations };
  const updates = new Map(update.map(({ slice, endpoints }) => [slice, endpoints]));
  for (const slice of existing) {
    if (!updates.has(slice) && !remove.includes(slice) && !follows(slice)) updates.set(slice, slice.endpoints ?? []);
  }
  try {
    for (const { group, endpoints } of create) {
      const { name, namespace } = owner.metadata;
      const metadata = {
        generateName: `${name}-`,
        ...(namespace === undefined ? {} : { namespace }),
        ...marks,
        ownerReferences: [controllerReference(owner, ownerResource)],
      };
      const { addressType, ports } = group;
      const slice = {
        apiVersion: "discovery.k8s.io/v1",
        kind: "EndpointSlice",
        metadata,
        addressType,
        endpoints,
        ports,
      } as const;
      wrote(await client.create(endpointSlices, slice, { signal }));
    }
    for (const [slice, endpoints] of updates) {
      const next = { ...slice, metadata: { ...slice.metadata, ...marks }, endpoints };
      wrote(await client.update(endpointSlices, next, { signal }));
    }
    for (const slice of remove) {
      const { namespace, name, uid } = slice.metadata;
      await client.delete(endpointSlices, { namespace, name }, { preconditions: { uid }, signal });
      deleted(slice);
    }
  } catch (error) {
    if (isStatusError(error, "Forbidden") || signal.aborted) return;
    if (!isStatusError(error, "Conflict") && !isStatusError(error, "NotFound")) {
      events.event(owner, "Warning", "FailedToUpdateEndpointSlices", `${failure}: ${messageOf(error)}`);
    }
    throw error;
  }
}
