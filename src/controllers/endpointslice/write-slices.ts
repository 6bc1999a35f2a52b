import {
  type EndpointSlice,
  endpointSlices,
  isStatusError,
  type KubeObject,
  type ResourceType,
} from "../../api/index.js";
import type { ControllerContext } from "../controller.js";
import type { ReconcileContext } from "../define-controller.js";
import { withTrigger } from "../endpoints/trigger-times.js";
import { equalJson } from "../shared/hash.js";
import { OwnWrites } from "../shared/own-writes.js";
import { controllerReference } from "../shared/owners.js";
import { messageOf } from "../shared/pod-control.js";
import type { SliceChanges } from "./slices.js";

export const serviceName = "kubernetes.io/service-name";
export const managedBy = "endpointslice.kubernetes.io/managed-by";

/** The slices that one manager keeps, by service. */
export interface OwnSlices {
  of(serviceKey: string): EndpointSlice[];
  /** Of what was written: 0 when the cache shows it all, else how long to wait for it. */
  waitMs(serviceKey: string): number;
  wrote(serviceKey: string, slice: EndpointSlice): void;
  deleted(serviceKey: string, slice: EndpointSlice): void;
  forget(serviceKey: string): void;
}

/** Follows the slices of `manager`: whatever happens to one, its service is looked at again. */
export function followSlices(context: ControllerContext, manager: string, enqueue: (key: string) => void): OwnSlices {
  const slices = context.informer(endpointSlices);
  const writes = new OwnWrites<EndpointSlice>(context.clock);
  const keyOf = ({ metadata: { namespace = "", labels } }: EndpointSlice): string | undefined => {
    const name = labels?.[serviceName];
    return name === undefined || labels?.[managedBy] !== manager ? undefined : `${namespace}/${name}`;
  };
  // The cache is shared with the other managers.
  const ownByService = `service of ${manager}`;
  slices.addIndex(ownByService, (slice) => {
    const key = keyOf(slice);
    return key === undefined ? [] : [key];
  });
  const mend = (slice: EndpointSlice): void => {
    const key = keyOf(slice);
    if (key !== undefined) enqueue(key);
  };
  slices.addHandler({ add: mend, update: (_, slice) => mend(slice), delete: mend });
  return {
    of: (key) => [...slices.byIndex(ownByService, key)],
    waitMs: (key) => writes.waitMs(key, slices),
    wrote: (key, slice) => writes.wrote(key, slice),
    deleted: (key, slice) => writes.deleted(key, slice),
    forget: (key) => writes.forget(key),
  };
}

export interface SliceWrites {
  /** Whom the slices go with, and who is told of failures. */
  readonly owner: KubeObject;
  readonly ownerResource: ResourceType;
  readonly labels: Readonly<Record<string, string>>;
  /** Absent: they are left alone. */
  readonly annotations?: Readonly<Record<string, string>>;
  /** Given, slices that are written say by an annotation when that was so which they are written for. */
  readonly trigger?: { readonly time: string | undefined };
  readonly slices: OwnSlices;
  /** How the event about a failure begins. */
  readonly failure: string;
}

/** Carries a plan for a service out. Labels and annotations of slices that stay as they are follow too. */
export async function writeSlices(
  { client, events, signal }: ReconcileContext,
  key: string,
  { create, update, remove }: SliceChanges,
  { owner, ownerResource, labels, annotations, trigger, slices, failure }: SliceWrites,
): Promise<void> {
  const follows = ({ metadata }: EndpointSlice): boolean =>
    equalJson(metadata.labels, labels) &&
    (annotations === undefined || equalJson(metadata.annotations ?? {}, annotations));
  const marks = (now?: EndpointSlice): Pick<EndpointSlice["metadata"], "labels" | "annotations"> => {
    const wanted = annotations ?? now?.metadata.annotations;
    const marked = trigger === undefined ? wanted : withTrigger(wanted, trigger.time);
    return marked === undefined ? { labels } : { labels, annotations: marked };
  };
  const updates = new Map(update.map(({ slice, endpoints }) => [slice, endpoints]));
  for (const slice of slices.of(key)) {
    if (!updates.has(slice) && !remove.includes(slice) && !follows(slice)) updates.set(slice, slice.endpoints ?? []);
  }
  try {
    for (const { group, endpoints } of create) {
      const { name, namespace } = owner.metadata;
      const metadata = {
        generateName: `${name}-`,
        ...(namespace === undefined ? {} : { namespace }),
        ...marks(),
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
      slices.wrote(key, await client.create(endpointSlices, slice, { signal }));
    }
    for (const [slice, endpoints] of updates) {
      const next = { ...slice, metadata: { ...slice.metadata, ...marks(slice) }, endpoints };
      slices.wrote(key, await client.update(endpointSlices, next, { signal }));
    }
    for (const slice of remove) {
      const { namespace, name, uid } = slice.metadata;
      await client.delete(endpointSlices, { namespace, name }, { preconditions: { uid }, signal });
      slices.deleted(key, slice);
    }
  } catch (error) {
    if (isStatusError(error, "Forbidden") || signal.aborted) return;
    if (!isStatusError(error, "Conflict") && !isStatusError(error, "NotFound")) {
      events.event(owner, "Warning", "FailedToUpdateEndpointSlices", `${failure}: ${messageOf(error)}`);
    }
    throw error;
  }
}
