import type { Container, ContainerStatus, Pod } from "../../api/index.js";
import type { QuantityCache } from "../framework/resources.js";

/** A container that states no request counts as this much when nodes are scored, so that such pods are spread as well. */
export const defaultCpuMillis = 100;
export const defaultMemoryBytes: number = 200 * 2 ** 20;

type Amounts = Map<string, number>;
type Quantities = { readonly [name: string]: string } | undefined;
type Statuses = readonly ContainerStatus[] | undefined;

export interface PodRequests {
  readonly requests: ReadonlyMap<string, number>;
  readonly nonzeroCpuMillis: number;
  readonly nonzeroMemoryBytes: number;
}

/**
 * What a pod takes of its node: the larger of what its containers need together and what its init containers need one
 * after the other beside the sidecars started before them, overridden by pod-level resources, plus overhead.
 */
export function podRequests(pod: Pod, quantities: QuantityCache): PodRequests {
  const requests = aggregate(pod, quantities, false);
  let cpu = requests.get("cpu") ?? 0;
  let memory = requests.get("memory") ?? 0;
  if (lacksRequest(pod)) {
    const filled = aggregate(pod, quantities, true);
    cpu = filled.get("cpu") ?? 0;
    memory = filled.get("memory") ?? 0;
  }
  return { requests, nonzeroCpuMillis: cpu, nonzeroMemoryBytes: memory };
}

function aggregate(pod: Pod, quantities: QuantityCache, fill: boolean): Amounts {
  const total: Amounts = new Map();
  const { spec } = pod;
  if (spec === undefined) return total;
  const refused = isResizeInfeasible(pod);
  const own = (container: Container, statuses: Statuses): Amounts =>
    containerRequests(container, heldBy(statuses, container.name), refused, quantities, fill);
  for (const container of spec.containers) add(total, own(container, pod.status?.containerStatuses));
  if (spec.initContainers !== undefined && spec.initContainers.length > 0) {
    const sidecars: Amounts = new Map();
    const peak: Amounts = new Map();
    for (const container of spec.initContainers) {
      const amounts = own(container, pod.status?.initContainerStatuses);
      if (container.restartPolicy === "Always") {
        add(total, amounts);
        add(sidecars, amounts);
        raise(peak, sidecars);
      } else {
        add(amounts, sidecars);
        raise(peak, amounts);
      }
    }
    raise(total, peak);
  }
  if (spec.resources?.requests !== undefined) {
    const whole = largest(
      spec.resources.requests,
      pod.status,
      refused && pod.status?.resources !== undefined,
      quantities,
    );
    for (const [name, amount] of whole) total.set(name, amount);
  }
  if (spec.overhead !== undefined) {
    for (const [name, quantity] of Object.entries(spec.overhead)) {
      total.set(name, (total.get(name) ?? 0) + quantities.amount(name, quantity));
    }
  }
  return total;
}

/** While a container is being resized in place it may hold more than its spec says: what it was promised, and what it has. */
function heldBy(statuses: Statuses, name: string): ContainerStatus | undefined {
  if (statuses === undefined) return undefined;
  for (const status of statuses) if (status.name === name) return status;
  return undefined;
}

/** Its node will never give it what its spec says. */
function isResizeInfeasible(pod: Pod): boolean {
  const pending = pod.status?.conditions?.find(({ type }) => type === "PodResizePending");
  return pending?.reason === "Infeasible";
}

/** The largest of what is stated (unless it is refused), promised and held, each by itself. */
function containerRequests(
  container: Container,
  status: ContainerStatus | undefined,
  refused: boolean,
  quantities: QuantityCache,
  fill: boolean,
): Amounts {
  const stated = container.resources?.requests;
  const amounts = largest(stated, status, refused && status?.resources !== undefined, quantities);
  if (fill) {
    if (!amounts.has("cpu")) amounts.set("cpu", defaultCpuMillis);
    if (!amounts.has("memory")) amounts.set("memory", defaultMemoryBytes);
  }
  return amounts;
}

function largest(
  stated: Quantities,
  held: Pick<ContainerStatus, "resources" | "allocatedResources"> | undefined,
  refused: boolean,
  quantities: QuantityCache,
): Amounts {
  const amounts: Amounts = new Map();
  for (const list of [refused ? undefined : stated, held?.resources?.requests, held?.allocatedResources]) {
    if (list === undefined) continue;
    for (const [name, quantity] of Object.entries(list)) {
      const amount = quantities.amount(name, quantity);
      if (amount >= (amounts.get(name) ?? 0)) amounts.set(name, amount);
    }
  }
  return amounts;
}

function lacksRequest(pod: Pod): boolean {
  const lacks = (container: Container): boolean => {
    const requests = container.resources?.requests;
    return requests === undefined || !Object.hasOwn(requests, "cpu") || !Object.hasOwn(requests, "memory");
  };
  return (pod.spec?.containers.some(lacks) ?? false) || (pod.spec?.initContainers?.some(lacks) ?? false);
}

function add(total: Amounts, more: Amounts): void {
  for (const [name, amount] of more) total.set(name, (total.get(name) ?? 0) + amount);
}

function raise(total: Amounts, floor: Amounts): void {
  for (const [name, amount] of floor) if (amount > (total.get(name) ?? 0)) total.set(name, amount);
}
