import type {
  AllocationResult,
  DeviceAllocationConfiguration,
  DeviceClass,
  DeviceRequestAllocationResult,
  DeviceSubRequest,
  ExactDeviceRequest,
  NodeSelector,
  NodeSelectorTerm,
  ResourceClaim,
} from "../../api/index.js";
import type { Capacities } from "./capacity.js";
import type { ReachableDevice } from "./device-pools.js";

/** A device that was chosen for a request. */
export interface Choice {
  /** `name` or `name/alternative`, as results have it. */
  readonly request: string;
  readonly asked: ExactDeviceRequest | DeviceSubRequest;
  readonly device: ReachableDevice;
  /** What it takes of a device that others may have too. */
  readonly share: Capacities | undefined;
}

export interface ResultContext {
  readonly classes: (name: string) => DeviceClass | undefined;
  readonly nodeName: string;
  /** A new id for each share of a device. */
  readonly shareId: () => string;
}

export function isAdmin(asked: ExactDeviceRequest | DeviceSubRequest): boolean {
  return "adminAccess" in asked && asked.adminAccess === true;
}

/** What the claim's status is to say of the choices. */
export function allocationResult(
  claim: ResourceClaim,
  choices: readonly Choice[],
  context: ResultContext,
): AllocationResult {
  const results = choices.map((choice) => deviceResult(choice, context));
  const config = configuration(claim, choices, context);
  const nodeSelector = placeOf(choices, context.nodeName);
  return {
    devices: { results, ...(config.length === 0 ? {} : { config }) },
    ...(nodeSelector === undefined ? {} : { nodeSelector }),
  };
}

function deviceResult(
  { request, asked, device: { driver, pool, device }, share }: Choice,
  { shareId }: ResultContext,
): DeviceRequestAllocationResult {
  const { tolerations = [] } = asked;
  const { bindingConditions = [], bindingFailureConditions = [] } = device;
  return {
    request,
    driver,
    pool,
    device: device.name,
    ...(isAdmin(asked) ? { adminAccess: true } : {}),
    ...(tolerations.length === 0 ? {} : { tolerations }),
    ...(bindingConditions.length === 0 ? {} : { bindingConditions }),
    ...(bindingFailureConditions.length === 0 ? {} : { bindingFailureConditions }),
    ...(share === undefined ? {} : { shareID: shareId() }),
    ...(share === undefined || share.size === 0
      ? {}
      : { consumedCapacity: Object.fromEntries([...share].map(([name, amount]) => [name, amount.toString()])) }),
  };
}

/** First what the classes say, each once, then what the claim says; for the requests that it is about, none named where it is all. */
function configuration(
  { spec: { devices } }: ResourceClaim,
  choices: readonly Choice[],
  { classes }: ResultContext,
): readonly DeviceAllocationConfiguration[] {
  const byClass = new Map<string, Set<string>>();
  for (const { request, asked } of choices) {
    const requests = byClass.get(asked.deviceClassName);
    if (requests === undefined) byClass.set(asked.deviceClassName, new Set([request]));
    else requests.add(request);
  }
  const all = devices?.requests?.length ?? 0;
  const about = (requests: readonly string[]): { readonly requests?: readonly string[] } =>
    requests.length === 0 || requests.length === all ? {} : { requests };
  const found: DeviceAllocationConfiguration[] = [];
  for (const [className, requests] of byClass) {
    for (const { opaque } of classes(className)?.spec.config ?? []) {
      found.push({ source: "FromClass", ...about([...requests]), ...(opaque === undefined ? {} : { opaque }) });
    }
  }
  const chosen = [...byClass.values()].flatMap((requests) => [...requests]);
  for (const { requests: named = [], opaque } of devices?.config ?? []) {
    const relevant =
      named.length === 0 ||
      named.some((name) => chosen.some((request) => request === name || request.startsWith(`${name}/`)));
    if (!relevant) continue;
    found.push({ source: "FromClaim", ...about(named), ...(opaque === undefined ? {} : { opaque }) });
  }
  return found;
}

/** Where all of the devices can be reached: one of them may be bound to its node, else everything that any of them wants. */
function placeOf(choices: readonly Choice[], nodeName: string): NodeSelector | undefined {
  if (choices.some(({ device }) => device.local || device.device.bindsToNode === true)) {
    return { nodeSelectorTerms: [{ matchFields: [{ key: "metadata.name", operator: "In", values: [nodeName] }] }] };
  }
  return intersection(choices.flatMap(({ device }) => device.nodeSelector ?? []));
}

/** A node must be in all of them: each term of one with each term of the others. */
function intersection(selectors: readonly NodeSelector[]): NodeSelector | undefined {
  const different = [...new Map(selectors.map((selector) => [JSON.stringify(selector), selector])).values()];
  const [first, ...others] = different;
  if (first === undefined) return undefined;
  let terms: readonly NodeSelectorTerm[] = first.nodeSelectorTerms;
  for (const { nodeSelectorTerms } of others) {
    terms = terms.flatMap((term) => nodeSelectorTerms.map((other) => both(term, other)));
  }
  return { nodeSelectorTerms: terms };
}

function both(a: NodeSelectorTerm, b: NodeSelectorTerm): NodeSelectorTerm {
  const expressions = union(a.matchExpressions, b.matchExpressions);
  const fields = union(a.matchFields, b.matchFields);
  return {
    ...(expressions.length === 0 ? {} : { matchExpressions: expressions }),
    ...(fields.length === 0 ? {} : { matchFields: fields }),
  };
}

function union<T>(a: readonly T[] = [], b: readonly T[] = []): readonly T[] {
  return [...new Map([...a, ...b].map((one) => [JSON.stringify(one), one])).values()];
}
