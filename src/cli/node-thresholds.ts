import { parseDurationMs } from "../api/duration.js";
import {
  type EvictionOptions,
  type EvictionSignal,
  type ImageCollectionOptions,
  isEvictionSignal,
} from "../node/index.js";

/** A kubelet's flags, as their texts. */
export interface ThresholdFlags {
  readonly evictionHard?: string | undefined;
  readonly evictionSoft?: string | undefined;
  readonly evictionSoftGracePeriod?: string | undefined;
  readonly evictionMaxPodGracePeriod?: number | undefined;
  readonly evictionMinimumReclaim?: string | undefined;
  readonly evictionPressureTransitionPeriod?: string | undefined;
  readonly imageGcHighThreshold?: number | undefined;
  readonly imageGcLowThreshold?: number | undefined;
  readonly minimumImageTtlDuration?: string | undefined;
  readonly imageMaximumGcAge?: string | undefined;
}

type BySignal<T> = { readonly [Signal in EvictionSignal]?: T };

/** Throws Error with the flag's name when one cannot be read. */
export function evictionOptions(flags: ThresholdFlags): EvictionOptions {
  const { evictionPressureTransitionPeriod: transition } = flags;
  return {
    hard: bySignal("--eviction-hard", flags.evictionHard, "<", (text) => text),
    soft: bySignal("--eviction-soft", flags.evictionSoft, "<", (text) => text),
    softGracePeriodSeconds: bySignal("--eviction-soft-grace-period", flags.evictionSoftGracePeriod, "=", secondsOf),
    maxPodGracePeriodSeconds: flags.evictionMaxPodGracePeriod,
    minimumReclaim: bySignal("--eviction-minimum-reclaim", flags.evictionMinimumReclaim, "=", (text) => text),
    pressureTransitionSeconds: transition === undefined ? undefined : secondsOf(transition),
  };
}

export function imageCollectionOptions(flags: ThresholdFlags): ImageCollectionOptions {
  const { minimumImageTtlDuration: minimum, imageMaximumGcAge: maximum } = flags;
  return {
    highThresholdPercent: flags.imageGcHighThreshold,
    lowThresholdPercent: flags.imageGcLowThreshold,
    minimumAgeSeconds: minimum === undefined ? undefined : secondsOf(minimum),
    maximumAgeSeconds: maximum === undefined ? undefined : secondsOf(maximum),
  };
}

/** `memory.available<100Mi,nodefs.available<10%`; nothing is none at all. */
function bySignal<T>(
  flag: string,
  text: string | undefined,
  operator: "<" | "=",
  read: (text: string) => T,
): BySignal<T> | undefined {
  if (text === undefined) return undefined;
  const found = new Map<EvictionSignal, T>();
  for (const statement of text.split(",").filter((one) => one.trim() !== "")) {
    const [signal = "", value = "", ...rest] = statement.split(operator).map((one) => one.trim());
    if (value === "" || rest.length > 0)
      throw new Error(`${flag}: ${statement} is not of the form SIGNAL${operator}AMOUNT`);
    if (!isEvictionSignal(signal)) throw new Error(`${flag}: unsupported eviction signal ${signal}`);
    if (found.has(signal)) throw new Error(`${flag}: ${signal} is given twice`);
    found.set(signal, read(value));
  }
  return Object.fromEntries(found);
}

function secondsOf(text: string): number {
  return parseDurationMs(text) / 1000;
}
