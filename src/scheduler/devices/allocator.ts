import type {
  AllocationResult,
  DeviceConstraint,
  DeviceRequest,
  DeviceTaint,
  DeviceToleration,
  ResourceClaim,
} from "../../api/index.js";
import { amountOf } from "../framework/resources.js";
import { allocationResult, type Choice, isAdmin, type ResultContext } from "./allocation-result.js";
import { type Capacities, consumption, isLeft } from "./capacity.js";
import type { ReachableDevice } from "./device-pools.js";
import type { DeviceSelectors } from "./device-selectors.js";

/** What claims have of the devices already. */
export interface TakenDevices {
  /** Devices that are somebody's own, by id. */
  readonly whole: ReadonlySet<string>;
  /** Of devices that several may have, by id, what each of them has. */
  readonly shares: ReadonlyMap<string, readonly Capacities[]>;
}

export interface AllocatorOptions extends ResultContext {
  readonly devices: readonly ReachableDevice[];
  readonly selectors: DeviceSelectors;
  readonly taken: TakenDevices;
}

interface Wish extends Pick<Choice, "request" | "asked"> {
  readonly claim: number;
}

interface Chosen extends Choice, Wish {}

/** So many steps, and the search is given up: claims can be made that no search would end for. */
const maxSteps = 100_000;
/** What a claim's status has room for. */
const maxResults = 32;

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
  readonly #chosen: Chosen[] = [];
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
    return this.#claims.map((claim, index) => {
      const own = this.#chosen.filter((choice) => choice.claim === index);
      return allocationResult(claim, own, this.#options);
    });
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
      const count = wish.asked.count ?? 1;
      return this.#hasRoom(claim, count) && this.#take(wish, count, 0, rest);
    });
  }

  #hasRoom(claim: number, count: number): boolean {
    return this.#chosen.filter((choice) => choice.claim === claim).length + count <= maxResults;
  }

  #take(wish: Wish, count: number, from: number, rest: () => boolean): boolean {
    if (count === 0) return rest();
    const { devices } = this.#options;
    for (let index = from; index < devices.length; index++) {
      const device = devices[index];
      if (++this.#steps > maxSteps) return false;
      // Expressions cost most, so they come last.
      if (device === undefined || !device.usable || this.#isTakenFor(wish, device)) continue;
      if (!this.#matches(wish, device) || !this.#choose(wish, device)) continue;
      // In order: another order of the same devices is no other choice.
      if (this.#take(wish, count - 1, index + 1, rest)) return true;
      this.#drop();
    }
    return false;
  }

  /** Every device that the wish is about, or none: one that is taken, or whose pool cannot be used, is one too few. */
  #takeAll(wish: Wish, rest: () => boolean): boolean {
    const before = this.#chosen.length;
    const undo = (): boolean => {
      while (this.#chosen.length > before) this.#drop();
      return false;
    };
    const { devices, taken } = this.#options;
    const wanted = devices.filter((device) => {
      if (!this.#matches(wish, device)) return false;
      // One that cannot give what is asked for is not one of them.
      const amounts = consumption(device.device, wish.asked.capacity);
      return amounts !== undefined && (!isShared(device) || isLeft(device.device, amounts, sharesOf(taken, device)));
    });
    if (wanted.length === 0 || !this.#hasRoom(wish.claim, wanted.length)) return false;
    for (const device of wanted) if (!device.usable || !this.#choose(wish, device)) return undo();
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

  /** False when it is taken or tainted, has too little, or when a constraint of the claim or the pool's counters will not have it. */
  #choose(wish: Wish, device: ReachableDevice): boolean {
    const { asked } = wish;
    const admin = isAdmin(asked);
    const shared = isShared(device);
    if (this.#isTakenFor(wish, device) || isTainted(device, asked.tolerations)) return false;
    const amounts = consumption(device.device, asked.capacity);
    if (amounts === undefined || (shared && !isLeft(device.device, amounts, this.#sharesOf(device)))) return false;
    const inUse = shared && this.#sharesOf(device).length > 0;
    this.#chosen.push({ ...wish, device, share: shared ? amounts : undefined });
    const { constraints = [] } = this.#claims[wish.claim]?.spec.devices ?? {};
    const fits =
      constraints.every((constraint) => this.#satisfied(constraint, wish)) &&
      (admin || inUse || this.#countersLast(device));
    if (fits) {
      if (!admin && !shared) this.#used.add(device.id);
      return true;
    }
    this.#chosen.pop();
    return false;
  }

  #drop(): void {
    const last = this.#chosen.pop();
    if (last !== undefined && last.share === undefined && !isAdmin(last.asked)) this.#used.delete(last.device.id);
  }

  /** Administrators only do not get it twice by one claim. */
  #isTakenFor({ claim, asked }: Wish, device: ReachableDevice): boolean {
    if (isShared(device)) return false;
    if (isAdmin(asked)) return this.#chosen.some((choice) => choice.device === device && choice.claim === claim);
    return this.#options.taken.whole.has(device.id) || this.#used.has(device.id);
  }

  /** What others have of the device, and what has been chosen of it so far. */
  #sharesOf(device: ReachableDevice): readonly Capacities[] {
    const chosen = this.#chosen.flatMap((choice) => (choice.device === device ? (choice.share ?? []) : []));
    return [...sharesOf(this.#options.taken, device), ...chosen];
  }

  #satisfied({ matchAttribute, distinctAttribute, requests = [] }: DeviceConstraint, { claim }: Wish): boolean {
    const attribute = matchAttribute ?? distinctAttribute;
    if (attribute === undefined) return true;
    const about = ({ request }: Chosen): boolean =>
      requests.length === 0 || requests.includes(request) || requests.includes(request.split("/")[0] ?? "");
    const values = this.#chosen
      .filter((choice) => choice.claim === claim && about(choice))
      .map(({ device }) => attributeOf(device, attribute));
    if (values.includes(undefined)) return false;
    const distinct = new Set(values).size;
    return matchAttribute === undefined ? distinct === values.length : distinct <= 1;
  }

  /** Devices of a pool may be parts of one whole, of which there is only so much. */
  #countersLast({ driver, pool, counters, siblings, device }: ReachableDevice): boolean {
    if ((device.consumesCounters ?? []).length === 0) return true;
    const left = new Map([...counters].map(([name, value]) => [name, amountOf("", value)]));
    const { whole, shares } = this.#options.taken;
    const ids = new Set([...this.#used, ...whole, ...shares.keys()]);
    for (const choice of this.#chosen) if (choice.share !== undefined) ids.add(choice.device.id);
    for (const sibling of siblings) {
      if (sibling !== device && !ids.has(`${driver}/${pool}/${sibling.name}`)) continue;
      for (const { counterSet, counters: consumed } of sibling.consumesCounters ?? []) {
        for (const [name, { value }] of Object.entries(consumed)) {
          const id = `${counterSet}/${name}`;
          left.set(id, (left.get(id) ?? 0) - amountOf("", value));
        }
      }
    }
    return [...left.values()].every((amount) => amount >= 0);
  }
}

function isShared({ device }: ReachableDevice): boolean {
  return device.allowMultipleAllocations === true;
}

function sharesOf({ shares }: TakenDevices, { id }: ReachableDevice): readonly Capacities[] {
  return shares.get(id) ?? [];
}

/** Effects that this release does not know keep nobody away. */
function isTainted({ device }: ReachableDevice, tolerations: readonly DeviceToleration[] = []): boolean {
  return (device.taints ?? []).some(
    (taint) =>
      (taint.effect === "NoSchedule" || taint.effect === "NoExecute") &&
      !tolerations.some((toleration) => tolerates(toleration, taint)),
  );
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
