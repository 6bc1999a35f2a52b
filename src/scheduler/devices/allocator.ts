import type {
  AllocationResult,
  DeviceAllocationConfiguration,
  DeviceClass,
  DeviceConstraint,
  DeviceRequest,
  DeviceRequestAllocationResult,
  DeviceSubRequest,
  DeviceTaint,
  DeviceToleration,
  ExactDeviceRequest,
  NodeSelector,
  NodeSelectorTerm,
  ResourceClaim,
} from "../../api/index.js";
import { amountOf } from "../framework/resources.js";
import type { ReachableDevice } from "./device-pools.js";
import type { DeviceSelectors } from "./device-selectors.js";

export interface AllocatorOptions {
  readonly devices: readonly ReachableDevice[];
  readonly classes: (name: string) => DeviceClass | undefined;
  readonly selectors: DeviceSelectors;
  /** Devices that others have, by id. */
  readonly taken: ReadonlySet<string>;
}

interface Wish {
  readonly claim: number;
  /** `name` or `name/alternative`, as results have it. */
  readonly request: string;
  readonly asked: ExactDeviceRequest | DeviceSubRequest;
}

interface Choice extends Wish {
  readonly device: ReachableDevice;
}

/** So many steps, and the search is given up: claims can be made that no search would end for. */
const maxSteps = 100_000;

/**
 * Finds devices for all claims at once, by trying: each wish takes the first device that will do, and when a later one finds none the
 * earlier ones choose again. `undefined`: there is no way. Throws SelectorError.
 */
export function allocate(
  claims: readonly ResourceClaim[],
  options: AllocatorOptions,
): readonly AllocationResult[] | undefined {
  return new Allocator(claims, options).run();
}

class Allocator {
  readonly #claims: readonly ResourceClaim[];
  readonly #options: AllocatorOptions;
  readonly #chosen: Choice[] = [];
  readonly #used = new Set<string>();
  #steps = 0;

  constructor(claims: readonly ResourceClaim[], options: AllocatorOptions) {
    this.#claims = claims;
    this.#options = options;
  }

  run(): readonly AllocationResult[] | undefined {
    const requests = this.#claims.flatMap(({ spec }, claim) =>
      (spec.devices?.requests ?? []).map((request) => ({ claim, request })),
    );
    if (!this.#place(requests, 0)) return undefined;
    return this.#claims.map((claim, index) => this.#result(claim, index));
  }

  /** From the `at`th request on. */
  #place(requests: readonly { readonly claim: number; readonly request: DeviceRequest }[], at: number): boolean {
    const next = requests[at];
    if (next === undefined) return true;
    const { claim, request } = next;
    const alternatives =
      request.exactly === undefined
        ? (request.firstAvailable ?? []).map((asked) => ({ request: `${request.name}/${asked.name}`, asked }))
        : [{ request: request.name, asked: request.exactly }];
    return alternatives.some((alternative) => {
      const wish: Wish = { claim, ...alternative };
      const rest = (): boolean => this.#place(requests, at + 1);
      if (wish.asked.allocationMode === "All") return this.#takeAll(wish, rest);
      return this.#take(wish, wish.asked.count ?? 1, 0, rest);
    });
  }

  #take(wish: Wish, count: number, from: number, rest: () => boolean): boolean {
    if (count === 0) return rest();
    const { devices } = this.#options;
    for (let index = from; index < devices.length; index++) {
      const device = devices[index];
      if (++this.#steps > maxSteps) return false;
      if (device === undefined || !this.#suits(wish, device) || !this.#choose(wish, device)) continue;
      // In order: another order of the same devices is no other choice.
      if (this.#take(wish, count - 1, index + 1, rest)) return true;
      this.#drop();
    }
    return false;
  }

  /** Every device that the wish is about, or none: one that is taken, or whose pool is not known in full, is one too few. */
  #takeAll(wish: Wish, rest: () => boolean): boolean {
    const before = this.#chosen.length;
    const undo = (): boolean => {
      while (this.#chosen.length > before) this.#drop();
      return false;
    };
    const wanted = this.#options.devices.filter((device) => this.#matches(wish, device));
    if (wanted.length === 0) return false;
    for (const device of wanted) {
      if (!device.complete || !this.#suits(wish, device) || !this.#choose(wish, device)) return undo();
    }
    return rest() || undo();
  }

  #matches({ asked }: Wish, { device, driver }: ReachableDevice): boolean {
    const { classes, selectors } = this.#options;
    const deviceClass = classes(asked.deviceClassName);
    return (
      deviceClass !== undefined &&
      selectors.match(device, driver, deviceClass.spec.selectors) &&
      selectors.match(device, driver, asked.selectors)
    );
  }

  #suits(wish: Wish, reachable: ReachableDevice): boolean {
    const { asked } = wish;
    const admin = isAdmin(asked);
    if (!admin && (this.#options.taken.has(reachable.id) || this.#used.has(reachable.id))) return false;
    if (
      this.#chosen.some(
        ({ device, claim, request }) => device === reachable && claim === wish.claim && request === wish.request,
      )
    ) {
      return false;
    }
    const untolerated = (reachable.device.taints ?? []).some(
      (taint) => taint.effect !== "None" && !(asked.tolerations ?? []).some((one) => tolerates(one, taint)),
    );
    return !untolerated && this.#matches(wish, reachable);
  }

  /** False when a constraint of the claim or the pool's counters will not have it. */
  #choose(wish: Wish, device: ReachableDevice): boolean {
    this.#chosen.push({ ...wish, device });
    const { constraints = [] } = this.#claims[wish.claim]?.spec.devices ?? {};
    const fits =
      constraints.every((constraint) => this.#satisfied(constraint, wish)) &&
      (isAdmin(wish.asked) || this.#countersLast(device));
    if (fits) {
      if (!isAdmin(wish.asked)) this.#used.add(device.id);
      return true;
    }
    this.#chosen.pop();
    return false;
  }

  #drop(): void {
    const last = this.#chosen.pop();
    if (last !== undefined && !isAdmin(last.asked)) this.#used.delete(last.device.id);
  }

  #satisfied({ matchAttribute, distinctAttribute, requests = [] }: DeviceConstraint, { claim }: Wish): boolean {
    const attribute = matchAttribute ?? distinctAttribute;
    if (attribute === undefined) return true;
    const about = ({ request }: Choice): boolean =>
      requests.length === 0 || requests.includes(request) || requests.includes(request.split("/")[0] ?? "");
    const values = this.#chosen
      .filter((choice) => choice.claim === claim && about(choice))
      .map(({ device }) => attributeOf(device, attribute));
    if (values.includes(undefined)) return false;
    const distinct = new Set(values).size;
    return matchAttribute === undefined ? distinct === values.length : distinct <= 1;
  }

  /** Devices of a pool may be parts of one whole, of which there is only so much. */
  #countersLast({ driver, pool, counters, device }: ReachableDevice): boolean {
    if ((device.consumesCounters ?? []).length === 0) return true;
    const left = new Map([...counters].map(([name, value]) => [name, amountOf("", value)]));
    const ids = new Set([...this.#used, ...this.#options.taken]);
    const consumers = this.#options.devices.filter(
      (other) => other.driver === driver && other.pool === pool && (other.device === device || ids.has(other.id)),
    );
    for (const { device: consumer } of consumers) {
      for (const { counterSet, counters: consumed } of consumer.consumesCounters ?? []) {
        for (const [name, { value }] of Object.entries(consumed)) {
          const id = `${counterSet}/${name}`;
          left.set(id, (left.get(id) ?? 0) - amountOf("", value));
        }
      }
    }
    return [...left.values()].every((amount) => amount >= 0);
  }

  #result(claim: ResourceClaim, index: number): AllocationResult {
    const own = this.#chosen.filter((choice) => choice.claim === index);
    const results = own.map(({ request, asked, device }): DeviceRequestAllocationResult => {
      const { tolerations } = asked;
      return {
        request,
        driver: device.driver,
        pool: device.pool,
        device: device.device.name,
        ...(isAdmin(asked) ? { adminAccess: true } : {}),
        ...(tolerations === undefined || tolerations.length === 0 ? {} : { tolerations }),
      };
    });
    const config = this.#configuration(claim, own);
    const nodeSelector = intersection(own.flatMap(({ device }) => device.nodeSelector ?? []));
    return {
      devices: { results, ...(config.length === 0 ? {} : { config }) },
      ...(nodeSelector === undefined ? {} : { nodeSelector }),
    };
  }

  /** First what the classes say, then what the claim says, each for the requests that it is about. */
  #configuration(claim: ResourceClaim, choices: readonly Choice[]): readonly DeviceAllocationConfiguration[] {
    const found: DeviceAllocationConfiguration[] = [];
    const requests = [...new Map(choices.map((choice) => [choice.request, choice.asked]))];
    for (const [request, asked] of requests) {
      for (const { opaque } of this.#options.classes(asked.deviceClassName)?.spec.config ?? []) {
        found.push({ source: "FromClass", requests: [request], ...(opaque === undefined ? {} : { opaque }) });
      }
    }
    for (const { requests: named = [], opaque } of claim.spec.devices?.config ?? []) {
      const relevant =
        named.length === 0 ||
        named.some((name) => requests.some(([request]) => request === name || request.startsWith(`${name}/`)));
      if (!relevant) continue;
      found.push({
        source: "FromClaim",
        ...(named.length === 0 ? {} : { requests: named }),
        ...(opaque === undefined ? {} : { opaque }),
      });
    }
    return found;
  }
}

function isAdmin(asked: ExactDeviceRequest | DeviceSubRequest): boolean {
  return "adminAccess" in asked && asked.adminAccess === true;
}

function attributeOf({ device, driver }: ReachableDevice, name: string): string | undefined {
  const attributes = device.attributes ?? {};
  // A driver may leave its own domain out.
  const short = name.startsWith(`${driver}/`) ? name.slice(driver.length + 1) : undefined;
  const own = Object.hasOwn(attributes, name) ? attributes[name] : undefined;
  const value = own ?? (short !== undefined && Object.hasOwn(attributes, short) ? attributes[short] : undefined);
  return value === undefined ? undefined : JSON.stringify([value.bool, value.int, value.string, value.version]);
}

function tolerates({ key, operator, value, effect }: DeviceToleration, taint: DeviceTaint): boolean {
  if (effect && effect !== taint.effect) return false;
  if (key && key !== taint.key) return false;
  return operator === "Exists" || (Boolean(key) && (value ?? "") === (taint.value ?? ""));
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
  const expressions = [...(a.matchExpressions ?? []), ...(b.matchExpressions ?? [])];
  const fields = [...(a.matchFields ?? []), ...(b.matchFields ?? [])];
  return {
    ...(expressions.length === 0 ? {} : { matchExpressions: expressions }),
    ...(fields.length === 0 ? {} : { matchFields: fields }),
  };
}
