import {
  type Condition,
  type IPAddress,
  ipAddresses,
  isStatusError,
  type ServiceCIDR,
  serviceCIDRs,
} from "../../api/index.js";
import { timestamp } from "../../internal/clock.js";
import type { Controller } from "../controller.js";
import { defineStatefulController, type ReconcileContext } from "../define-controller.js";
import { findCondition } from "../shared/conditions.js";
import { blocksOf, holdsAddress, holdsBlock, isForServices, overlap } from "./blocks.js";

const name = "service-cidr-controller";
const finalizer = "networking.k8s.io/service-cidr-finalizer";
/** So long allocators may still take an address from a range that is being deleted. */
const graceMs = 10_000;

/** Says of ServiceCIDRs whether they are ready, and keeps them until no Service has an address that only they have. */
export const serviceCidrController: Controller = defineStatefulController<ServiceCIDR>({
  name,
  account: "service-cidrs-controller",
  prepare: (context, enqueue) => {
    const cidrs = context.informer(serviceCIDRs);
    const addresses = context.informer(ipAddresses);
    // One range may be what another waits for.
    const cidrChanged = (changed: ServiceCIDR): void => {
      enqueue(changed.metadata.name);
      for (const other of cidrs.list()) if (overlap(changed, other)) enqueue(other.metadata.name);
    };
    const addressChanged = (address: IPAddress): void => {
      if (!isForServices(address)) return;
      for (const cidr of cidrs.list()) if (holdsAddress(cidr, address.metadata.name)) enqueue(cidr.metadata.name);
    };
    cidrs.addHandler({ add: cidrChanged, update: (_, cidr) => cidrChanged(cidr), delete: cidrChanged });
    addresses.addHandler({ add: addressChanged, delete: addressChanged });
    return (key, reconcile) => {
      const cidr = cidrs.get(key);
      if (cidr === undefined) return undefined;
      if (cidr.metadata.deletionTimestamp === undefined) return keep(cidr, reconcile);
      return letGo(cidr, [...cidrs.list()], [...addresses.list()], reconcile);
    };
  },
});

async function keep(cidr: ServiceCIDR, context: ReconcileContext): Promise<void> {
  const { finalizers = [] } = cidr.metadata;
  if (!finalizers.includes(finalizer)) await setFinalizers(cidr, [...finalizers, finalizer], context);
  try {
    await say(cidr, { status: "True", reason: "", message: "Kubernetes Service CIDR is ready" }, context);
  } catch (error) {
    const why = "The ServiceCIDR Status can not be set to Ready=True";
    if (!context.signal.aborted) context.events.event(cidr, "Warning", "KubernetesServiceCIDRError", why);
    throw error;
  }
}

async function letGo(
  cidr: ServiceCIDR,
  cidrs: readonly ServiceCIDR[],
  addresses: readonly IPAddress[],
  context: ReconcileContext,
): Promise<{ readonly requeueAfterMs: number } | undefined> {
  const { finalizers = [], deletionTimestamp = "" } = cidr.metadata;
  if (!finalizers.includes(finalizer)) return undefined;
  if (isNeeded(cidr, cidrs, addresses)) {
    const message =
      "There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new ServiceCIDR";
    await say(cidr, { status: "False", reason: "Terminating", message }, context);
    return undefined;
  }
  const leftMs = graceMs - (context.clock.now() - Date.parse(deletionTimestamp));
  if (leftMs > 0) return { requeueAfterMs: leftMs };
  const kept = finalizers.filter((one) => one !== finalizer);
  await setFinalizers(cidr, kept, context);
  return undefined;
}

/** Whether some address would be in no range any more. */
function isNeeded(cidr: ServiceCIDR, cidrs: readonly ServiceCIDR[], addresses: readonly IPAddress[]): boolean {
  const others = cidrs.filter(({ metadata }) => metadata.name !== cidr.metadata.name);
  const covered = blocksOf(cidr).every((block) =>
    others.some((other) => blocksOf(other).some((outer) => holdsBlock(outer, block))),
  );
  if (covered) return false;
  return addresses.some((address) => {
    const ip = address.metadata.name;
    return isForServices(address) && holdsAddress(cidr, ip) && !others.some((other) => holdsAddress(other, ip));
  });
}

async function say(
  cidr: ServiceCIDR,
  ready: Pick<Condition, "status" | "reason" | "message">,
  { client, clock, signal }: ReconcileContext,
): Promise<void> {
  const before = findCondition(cidr.status?.conditions, "Ready");
  const same = before?.status === ready.status && (before.reason ?? "") === ready.reason;
  // What the API server said of its own range may stay.
  if (before !== undefined && same && (ready.status === "True" || before.message === ready.message)) return;
  const conditions = [{ type: "Ready", ...ready, lastTransitionTime: timestamp(clock) }];
  const said = {
    apiVersion: "networking.k8s.io/v1",
    kind: "ServiceCIDR",
    metadata: { name: cidr.metadata.name },
    status: { conditions },
  };
  await client.apply(serviceCIDRs, said, { subresource: "status", fieldManager: name, force: true, signal });
}

async function setFinalizers(
  { metadata }: ServiceCIDR,
  finalizers: readonly string[],
  { client, signal }: ReconcileContext,
): Promise<void> {
  const { uid, resourceVersion } = metadata;
  const body = { metadata: { uid, resourceVersion, finalizers: finalizers.length === 0 ? null : finalizers } };
  try {
    await client.patch(serviceCIDRs, { name: metadata.name }, { type: "merge", body }, { signal });
  } catch (error) {
    if (!isStatusError(error, "NotFound")) throw error;
  }
}
