import type {
  HorizontalPodAutoscalerBehavior,
  HorizontalPodAutoscalerCondition,
  HPAScalingRules,
} from "../../api/index.js";

/** So long a smaller recommendation must hold where the autoscaler says nothing else. */
export const defaultDownWindowMs: number = 5 * 60_000;

interface Recommendation {
  readonly replicas: number;
  readonly atMs: number;
}

interface ScaleEvent {
  /** By how many, without sign. */
  readonly change: number;
  readonly atMs: number;
}

/** What was recommended and done of late for one autoscaler. */
export class ScaleHistory {
  #recommendations: readonly Recommendation[] = [];
  #ups: readonly ScaleEvent[] = [];
  #downs: readonly ScaleEvent[] = [];

  get recommendations(): readonly Recommendation[] {
    return this.#recommendations;
  }
  get ups(): readonly ScaleEvent[] {
    return this.#ups;
  }
  get downs(): readonly ScaleEvent[] {
    return this.#downs;
  }

  /** What was there at first counts as recommended. */
  begin(replicas: number, nowMs: number): void {
    if (this.#recommendations.length === 0) this.#recommendations = [{ replicas, atMs: nowMs }];
  }

  /** Forgets what is older than `keepMs`. */
  recommend(replicas: number, nowMs: number, keepMs: number): void {
    const kept = this.#recommendations.filter(({ atMs }) => atMs >= nowMs - keepMs);
    this.#recommendations = [...kept, { replicas, atMs: nowMs }];
  }

  scaled(from: number, to: number, nowMs: number, behavior: HorizontalPodAutoscalerBehavior | undefined): void {
    // Without policies nobody asks.
    if (behavior === undefined) return;
    const event = { change: Math.abs(to - from), atMs: nowMs };
    // Both directions look at both.
    const longestMs = Math.max(longestPeriodMs(behavior.scaleUp), longestPeriodMs(behavior.scaleDown));
    const recent = (events: readonly ScaleEvent[]): readonly ScaleEvent[] =>
      events.filter(({ atMs }) => atMs >= nowMs - longestMs);
    this.#ups = to > from ? [...recent(this.#ups), event] : recent(this.#ups);
    this.#downs = to < from ? [...recent(this.#downs), event] : recent(this.#downs);
  }
}

function longestPeriodMs(rules: HPAScalingRules | undefined): number {
  return (rules?.policies ?? []).reduce((longest, { periodSeconds }) => Math.max(longest, periodSeconds * 1000), 0);
}

export interface Wanted {
  readonly current: number;
  /** What the metrics say. */
  readonly desired: number;
  readonly min: number;
  readonly max: number;
  readonly behavior?: HorizontalPodAutoscalerBehavior | undefined;
}

type Told = Omit<HorizontalPodAutoscalerCondition, "lastTransitionTime">;

export interface Decided {
  readonly replicas: number;
  /** AbleToScale and ScalingLimited. */
  readonly conditions: readonly Told[];
}

interface Limited {
  readonly replicas: number;
  readonly reason: string;
  readonly message: string;
}

const upStabilized = {
  reason: "ScaleUpStabilized",
  message: "recent recommendations were lower than current one, applying the lowest recent recommendation",
};
const downStabilized = {
  reason: "ScaleDownStabilized",
  message: "recent recommendations were higher than current one, applying the highest recent recommendation",
};
const readyForScale = { reason: "ReadyForNewScale", message: "recommended size matches current size" };
const tooMany = {
  reason: "TooManyReplicas",
  message: "the desired replica count is more than the maximum replica count",
};
const tooFew = {
  reason: "TooFewReplicas",
  message: "the desired replica count is less than the minimum replica count",
};
const upLimit = {
  reason: "ScaleUpLimit",
  message: "the desired replica count is increasing faster than the maximum scale rate",
};
const downLimit = {
  reason: "ScaleDownLimit",
  message: "the desired replica count is decreasing faster than the maximum scale rate",
};
const inRange = { reason: "DesiredWithinRange", message: "the desired count is within the acceptable range" };

/** What is to be done of what the metrics say: held back by what was recommended of late, then limited by rate and range. */
export function decide(wanted: Wanted, history: ScaleHistory, nowMs: number): Decided {
  const { behavior } = wanted;
  const stable = behavior === undefined ? steady(wanted, history, nowMs) : stabilize(wanted, behavior, history, nowMs);
  const why = behavior === undefined || wanted.desired < wanted.current ? downStabilized : upStabilized;
  const limited =
    behavior === undefined
      ? limitByDefault({ ...wanted, desired: stable })
      : limitByPolicies({ ...wanted, desired: stable }, behavior, history, nowMs);
  const { replicas, ...limit } = limited;
  return {
    replicas,
    conditions: [
      { type: "AbleToScale", status: "True", ...(stable === wanted.desired ? readyForScale : why) },
      { type: "ScalingLimited", status: replicas === stable ? "False" : "True", ...limit },
    ],
  };
}

/** Without behavior: the highest recommendation of the last minutes. */
function steady({ desired }: Wanted, history: ScaleHistory, nowMs: number): number {
  const recent = history.recommendations.filter(({ atMs }) => atMs >= nowMs - defaultDownWindowMs);
  history.recommend(desired, nowMs, defaultDownWindowMs);
  return recent.reduce((most, { replicas }) => Math.max(most, replicas), desired);
}

/** The current count, brought between the lowest recommendation of one window and the highest of the other. */
function stabilize(
  { current, desired }: Wanted,
  { scaleUp, scaleDown }: HorizontalPodAutoscalerBehavior,
  history: ScaleHistory,
  nowMs: number,
): number {
  const upMs = (scaleUp?.stabilizationWindowSeconds ?? 0) * 1000;
  const downSeconds = scaleDown?.stabilizationWindowSeconds;
  const downMs = downSeconds === undefined ? defaultDownWindowMs : downSeconds * 1000;
  let [lowest, highest] = [desired, desired];
  for (const { replicas, atMs } of history.recommendations) {
    if (atMs > nowMs - upMs) lowest = Math.min(lowest, replicas);
    if (atMs > nowMs - downMs) highest = Math.max(highest, replicas);
  }
  history.recommend(desired, nowMs, Math.max(upMs, downMs));
  return Math.min(Math.max(current, lowest), highest);
}

/** To the double, but always to 4; what is measured may be wrong. */
function limitByDefault({ current, desired, min, max }: Wanted): Limited {
  const fastest = Math.max(2 * current, 4);
  if (desired < min) return { replicas: min, ...tooFew };
  if (max > fastest && desired > fastest) return { replicas: fastest, ...upLimit };
  if (desired > max) return { replicas: max, ...tooMany };
  return { replicas: desired, ...inRange };
}

function limitByPolicies(
  { current, desired, min, max }: Wanted,
  { scaleUp, scaleDown }: HorizontalPodAutoscalerBehavior,
  history: ScaleHistory,
  nowMs: number,
): Limited {
  if (desired > current) {
    const fastest = Math.max(current, scaleUpLimit(current, scaleUp, history, nowMs));
    const most = Math.min(max, fastest);
    if (desired > most) return { replicas: most, ...(max > fastest ? upLimit : tooMany) };
  } else if (desired < current) {
    const fastest = Math.min(current, scaleDownLimit(current, scaleDown, history, nowMs));
    const least = Math.max(min, fastest);
    if (desired < least) return { replicas: least, ...(min < fastest ? downLimit : tooFew) };
  }
  return { replicas: desired, ...inRange };
}

/** How many there may be at most now, by the policy that is chosen. */
function scaleUpLimit(
  current: number,
  rules: HPAScalingRules | undefined,
  history: ScaleHistory,
  nowMs: number,
): number {
  const { selectPolicy = "Max", policies = [] } = rules ?? {};
  if (selectPolicy === "Disabled") return current;
  const limits = policies.map(({ type, value, periodSeconds }) => {
    const start = atPeriodStart(current, history, nowMs, periodSeconds);
    // Rounded up, else a small count would never grow.
    return type === "Pods" ? start + value : Math.ceil(start * (1 + value / 100));
  });
  return selectPolicy === "Min" ? Math.min(...limits) : Math.max(...limits);
}

function scaleDownLimit(
  current: number,
  rules: HPAScalingRules | undefined,
  history: ScaleHistory,
  nowMs: number,
): number {
  const { selectPolicy = "Max", policies = [] } = rules ?? {};
  if (selectPolicy === "Disabled") return current;
  const limits = policies.map(({ type, value, periodSeconds }) => {
    const start = atPeriodStart(current, history, nowMs, periodSeconds);
    return type === "Pods" ? start - value : Math.trunc(start * (1 - value / 100));
  });
  return selectPolicy === "Min" ? Math.max(...limits) : Math.min(...limits);
}

function atPeriodStart(current: number, { ups, downs }: ScaleHistory, nowMs: number, periodSeconds: number): number {
  const changed = (events: readonly ScaleEvent[]): number =>
    events.reduce((sum, { change, atMs }) => (atMs > nowMs - periodSeconds * 1000 ? sum + change : sum), 0);
  return current - changed(ups) + changed(downs);
}
