import { parseQuantity, type Quantity } from "../../api/quantity.js";
import type { PodSpecLike } from "./objects.js";

type Amounts = { readonly [resource: string]: string };
type Container = NonNullable<PodSpecLike["containers"]>[number];

/**
 * What a pod needs as a whole: containers and sidecars together, or the largest of the other init containers with the sidecars
 * before it where that is more; its own resources where it has them; plus overhead.
 */
export function podRequests(spec: PodSpecLike, kind: "requests" | "limits"): Amounts {
  const total = new Map<string, Quantity>();
  for (const container of spec.containers ?? []) addAll(total, amountsOf(container, kind));
  const sidecars = new Map<string, Quantity>();
  const largest = new Map<string, Quantity>();
  for (const container of spec.initContainers ?? []) {
    const amounts = amountsOf(container, kind);
    if (container.restartPolicy === "Always") {
      addAll(total, amounts);
      addAll(sidecars, amounts);
      raise(largest, sidecars);
      continue;
    }
    const during = new Map(sidecars);
    addAll(during, amounts);
    raise(largest, during);
  }
  raise(total, largest);
  for (const [name, amount] of Object.entries(spec.resources?.[kind] ?? {})) total.set(name, parseQuantity(amount));
  if (kind === "requests" || total.size > 0) {
    for (const [name, amount] of Object.entries(spec.overhead ?? {})) {
      if (kind === "requests" || total.has(name)) addAll(total, { [name]: amount });
    }
  }
  return Object.fromEntries([...total].map(([name, amount]) => [name, amount.toString()]));
}

function amountsOf(container: Container, kind: "requests" | "limits"): Amounts {
  return container.resources?.[kind] ?? {};
}

function addAll(total: Map<string, Quantity>, amounts: Amounts): void {
  for (const [name, amount] of Object.entries(amounts)) {
    const before = total.get(name);
    const quantity = parseQuantity(amount);
    total.set(name, before === undefined ? quantity : before.add(quantity));
  }
}

function raise(total: Map<string, Quantity>, floor: ReadonlyMap<string, Quantity>): void {
  for (const [name, amount] of floor) {
    const before = total.get(name);
    if (before === undefined || before.compare(amount) < 0) total.set(name, amount);
  }
}
