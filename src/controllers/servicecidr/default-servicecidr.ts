import { isStatusError, type ServiceCIDR, serviceCIDRs } from "../../api/index.js";
import { timestamp } from "../../internal/clock.js";
import type { Controller } from "../controller.js";
import { defineStatefulController, type ReconcileContext } from "../define-controller.js";
import { findCondition } from "../shared/conditions.js";
import { messageOf } from "../shared/pod-control.js";

const name = "kubernetes-service-cidr-controller";
const mainServiceCidr = "kubernetes";

/**
 * Keeps the ServiceCIDR of the ranges that an API server is set up with: makes it, again when it was deleted, adds the second family to
 * one that has the first alone, and says that it is ready where nobody has said anything. For the process of an API server, as upstream; several may run.
 */
export function defaultServiceCidr(cidrs: readonly string[]): Controller {
  return defineStatefulController<ServiceCIDR>({
    name,
    concurrency: 1,
    prepare: (context, enqueue) => {
      const known = context.informer(serviceCIDRs);
      const changed = ({ metadata }: ServiceCIDR): void => {
        if (metadata.name === mainServiceCidr) enqueue(mainServiceCidr);
      };
      known.addHandler({ add: changed, update: (_, cidr) => changed(cidr), delete: changed });
      enqueue(mainServiceCidr);
      return async (_, reconcile) => {
        const cidr = known.get(mainServiceCidr);
        if (cidr === undefined) await make(cidrs, reconcile);
        else await check(cidr, cidrs, reconcile);
      };
    },
  });
}

async function make(cidrs: readonly string[], { client, signal }: ReconcileContext): Promise<void> {
  const metadata = { name: mainServiceCidr };
  const object = { apiVersion: "networking.k8s.io/v1", kind: "ServiceCIDR", metadata, spec: { cidrs } } as const;
  try {
    await client.create(serviceCIDRs, object, { signal });
  } catch (error) {
    if (!isStatusError(error, "AlreadyExists")) throw error;
  }
}

async function check(
  cidr: ServiceCIDR,
  cidrs: readonly string[],
  { client, clock, events, signal }: ReconcileContext,
): Promise<void> {
  if (cidr.metadata.deletionTimestamp !== undefined) return;
  const actual = cidr.spec?.cidrs ?? [];
  if (cidrs.length === 2 && actual.length === 1 && actual[0] === cidrs[0]) {
    try {
      await client.update(serviceCIDRs, { ...cidr, spec: { ...cidr.spec, cidrs } }, { signal });
    } catch (error) {
      // The cache will show what another one wrote.
      if (isStatusError(error, "Conflict") || isStatusError(error, "NotFound")) return;
      const why = `can not be upgraded from ${cidrs[0]} to dual stack [${cidrs.join(" ")}]`;
      if (!signal.aborted) {
        events.event(
          cidr,
          "Warning",
          "KubernetesDefaultServiceCIDRError",
          `The default ServiceCIDR ${why} : ${messageOf(error)}`,
        );
      }
      throw error;
    }
    return;
  }
  if (actual.join() !== cidrs.join()) {
    const why = `The default ServiceCIDR [${actual.join(" ")}] does not match the controller flag configurations [${cidrs.join(" ")}]`;
    events.event(cidr, "Warning", "KubernetesDefaultServiceCIDRInconsistent", why);
    return;
  }
  const ready = findCondition(cidr.status?.conditions, "Ready");
  if (ready?.status === "True") return;
  if (ready?.status === "False") {
    events.event(cidr, "Warning", ready.reason, `Configuration matches, but ${ready.message}`);
    return;
  }
  const message = "Kubernetes default Service CIDR is ready";
  const condition = { type: "Ready", status: "True", reason: "", message, lastTransitionTime: timestamp(clock) };
  const said = {
    apiVersion: "networking.k8s.io/v1",
    kind: "ServiceCIDR",
    metadata: { name: mainServiceCidr },
    status: { conditions: [condition] },
  };
  await client.apply(serviceCIDRs, said, { subresource: "status", fieldManager: name, force: true, signal });
}
