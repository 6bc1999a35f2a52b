import { canonicalQuantity, quantityValue } from "../../api/index.js";
import type { EvictionSignal, SignalReading } from "./usage.js";

type BySignal<T> = { readonly [Signal in EvictionSignal]?: T };

/** When pods are evicted, as a kubelet is configured. Amounts are quantities or percentages of the capacity; 0% and 100% mean never. */
export interface EvictionOptions {
  /**
   * Less than that, and pods are ended at once. Default, which is replaced as a whole: memory.available 100Mi, nodefs.available 10%,
   * nodefs.inodesFree 5%, imagefs.available 15%, imagefs.inodesFree 5%.
   */
  readonly hard?: BySignal<string> | undefined;
  /** Less than that for as long as `softGracePeriodSeconds` says, and pods are ended with a grace period. Default: none. */
  readonly soft?: BySignal<string> | undefined;
  /** Needed for each signal of `soft`. */
  readonly softGracePeriodSeconds?: BySignal<number> | undefined;
  /** The longest grace period of pods evicted by soft thresholds. Default 0: at once. */
  readonly maxPodGracePeriodSeconds?: number | undefined;
  /** So much more than the threshold has to be free before evicting ends. Default: nothing more. */
  readonly minimumReclaim?: BySignal<string> | undefined;
  /** So long after pressure was last seen, the node goes on to report it. Default 300. */
  readonly pressureTransitionSeconds?: number | undefined;
  /** How often usage is looked at. Default 10,000. */
  readonly intervalMs?: number | undefined;
  /** How often the sizes of volumes are looked at, which takes reading all their folders. Default 60,000. */
  readonly volumesIntervalMs?: number | undefined;
}

export type Amount = { readonly value: number; readonly text: string } | { readonly share: number };

export interface Threshold {
  readonly signal: EvictionSignal;
  readonly amount: Amount;
  /** 0: hard. */
  readonly graceMs: number;
  readonly minimumReclaim: Amount | undefined;
}

export type StarvedResource = "memory" | "ephemeral-storage" | "inodes" | "pids";
export type PressureCondition = "MemoryPressure" | "DiskPressure" | "PIDPressure";

interface SignalFacts {
  readonly resource: StarvedResource;
  readonly condition: PressureCondition;
}

export const signals: Readonly<Record<EvictionSignal, SignalFacts>> = {
  "memory.available": { resource: "memory", condition: "MemoryPressure" },
  "nodefs.available": { resource: "ephemeral-storage", condition: "DiskPressure" },
  "nodefs.inodesFree": { resource: "inodes", condition: "DiskPressure" },
  "imagefs.available": { resource: "ephemeral-storage", condition: "DiskPressure" },
  "imagefs.inodesFree": { resource: "inodes", condition: "DiskPressure" },
  "pid.available": { resource: "pids", condition: "PIDPressure" },
};

export const defaultHard: BySignal<string> = {
  "memory.available": "100Mi",
  "nodefs.available": "10%",
  "nodefs.inodesFree": "5%",
  "imagefs.available": "15%",
  "imagefs.inodesFree": "5%",
};

/** Throws RangeError with the reason when an option makes no sense. */
export function thresholdsOf(options: EvictionOptions): readonly Threshold[] {
  const { hard = defaultHard, soft = {}, softGracePeriodSeconds = {}, minimumReclaim = {} } = options;
  const reclaim = new Map(entries(minimumReclaim).map(([signal, text]) => [signal, amountOf(signal, text)]));
  const made = (signal: EvictionSignal, text: string, graceMs: number): Threshold[] => {
    const amount = amountOf(signal, text);
    // Such a threshold is either never met or always: upstream takes it for none.
    if ("share" in amount && (amount.share === 0 || amount.share === 1)) return [];
    return [{ signal, amount, graceMs, minimumReclaim: reclaim.get(signal) }];
  };
  const graceOf = (signal: EvictionSignal): number => {
    const seconds = softGracePeriodSeconds[signal];
    if (seconds === undefined) {
      throw new RangeError(`grace period must be specified for the soft eviction threshold ${signal}`);
    }
    if (!(seconds >= 0)) throw new RangeError(`invalid eviction grace period specified: ${seconds} for ${signal}`);
    return seconds * 1000;
  };
  return [
    ...entries(hard).flatMap(([signal, text]) => made(signal, text, 0)),
    ...entries(soft).flatMap(([signal, text]) => made(signal, text, graceOf(signal))),
  ];
}

function entries(given: BySignal<string>): [EvictionSignal, string][] {
  return Object.entries(given).flatMap(([signal, text]) => {
    if (!isEvictionSignal(signal)) throw new RangeError(`unsupported eviction signal ${signal}`);
    return text === undefined ? [] : [[signal, text] as [EvictionSignal, string]];
  });
}

export function isEvictionSignal(text: string): text is EvictionSignal {
  return Object.hasOwn(signals, text);
}

function amountOf(signal: EvictionSignal, text: string): Amount {
  const share = /^([+-]?\d+(?:\.\d+)?)%$/.exec(text)?.[1];
  if (share !== undefined) {
    const percent = Number(share);
    if (percent >= 0 && percent <= 100) return { share: percent / 100 };
    throw new RangeError(`eviction percentage threshold ${signal} must be >= 0% and <= 100%: ${text}`);
  }
  let value: number;
  try {
    value = quantityValue(text);
  } catch (error) {
    throw new RangeError(`invalid eviction threshold ${signal}: ${text}`, { cause: error });
  }
  if (value <= 0) throw new RangeError(`eviction threshold ${signal} must be positive: ${text}`);
  return { value, text };
}

function numberOf(amount: Amount, capacity: number): number {
  return "share" in amount ? Math.trunc(capacity * amount.share) : amount.value;
}

/** Whether less is left than the threshold says, or than it says with what is to be reclaimed on top. */
export function isMet({ amount, minimumReclaim }: Threshold, reading: SignalReading, withReclaim = false): boolean {
  const { available, capacity } = reading;
  const more = withReclaim && minimumReclaim !== undefined ? numberOf(minimumReclaim, capacity) : 0;
  return available < numberOf(amount, capacity) + more;
}

/** For messages. */
export function thresholdText({ amount }: Threshold, { capacity }: SignalReading): string {
  return "share" in amount ? bytesText(numberOf(amount, capacity)) : canonicalQuantity(amount.text);
}

/** A number of bytes as upstream writes it: with a suffix where it is a whole number of those. */
export function bytesText(bytes: number): string {
  return bytes !== 0 && bytes % 1024 === 0 ? canonicalQuantity(`${bytes / 1024}Ki`) : String(bytes);
}

export function availableText(signal: EvictionSignal, { available }: SignalReading): string {
  const { resource } = signals[signal];
  return resource === "memory" || resource === "ephemeral-storage"
    ? bytesText(available)
    : canonicalQuantity(String(available));
}
