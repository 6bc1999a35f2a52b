import type { PriorityLevelConfiguration } from "../../api/index.js";
import type { Clock } from "../../internal/clock.js";
import type { Claim, LevelShares, SeatLimits } from "./concurrency.js";
import { DroppedRequests } from "./dropped-requests.js";
import { FairQueues, type FairQueuesConfig } from "./fair-queues.js";
import type { Configured } from "./schema-matcher.js";
import { SeatDemand } from "./seat-demand.js";
import { canDeal } from "./shuffle-sharding.js";

export interface LevelSettings {
  readonly uid: string;
  readonly shares: LevelShares;
  readonly queues: FairQueuesConfig;
  /** Queues of a flow; 0 without queues. */
  readonly handSize: number;
}

/** Reads a configuration; undefined when it makes no sense, which validation does not let through: it counts as not there. */
export function levelSettings({ metadata, spec }: Configured<PriorityLevelConfiguration>): LevelSettings | undefined {
  const uid = metadata.uid ?? "";
  const exempt = spec?.type === "Exempt";
  if (exempt !== (metadata.name === "exempt")) return undefined;
  if (exempt) {
    const { nominalConcurrencyShares = 0, lendablePercent = 0 } = spec?.exempt ?? {};
    const shares = { shares: nominalConcurrencyShares, lendablePercent, borrowingLimitPercent: undefined };
    return { uid, shares, queues: { type: "exempt" }, handSize: 0 };
  }
  const limited = spec?.limited;
  if (limited === undefined) return undefined;
  const { nominalConcurrencyShares = 30, lendablePercent = 0, borrowingLimitPercent, limitResponse } = limited;
  const shares = { shares: nominalConcurrencyShares, lendablePercent, borrowingLimitPercent };
  if (limitResponse?.type !== "Queue") return { uid, shares, queues: { type: "reject" }, handSize: 0 };
  const { queues = 64, handSize = 8, queueLengthLimit = 50 } = limitResponse.queuing ?? {};
  if (!canDeal(queues, handSize)) return undefined;
  return { uid, shares, queues: { type: "queue", queues, queueLengthLimit }, handSize };
}

/** A priority level at work. It outlives changes of its configuration, and its configuration while requests are in it. */
export class PriorityLevel {
  readonly name: string;
  readonly queues: FairQueues;
  readonly demand: SeatDemand;
  readonly dropped: DroppedRequests = new DroppedRequests();
  settings: LevelSettings;
  limits: SeatLimits = { nominal: 0, min: 0, max: 0 };
  /** Its configuration is gone: it goes when it is idle. */
  quiescing = false;
  dispatchedCount = 0;
  rejectedCount = 0;
  timedOutCount = 0;
  cancelledCount = 0;

  constructor(name: string, settings: LevelSettings, clock: Clock) {
    this.name = name;
    this.settings = settings;
    this.demand = new SeatDemand(clock.now());
    this.queues = new FairQueues(clock, this.demand);
  }

  get exempt(): boolean {
    return this.settings.queues.type === "exempt";
  }

  get claim(): Claim {
    const { highWatermark, smoothed } = this.demand;
    return { ...this.limits, exempt: this.exempt, highWatermark, smoothed };
  }

  /** The most seats that one request of it may take, as upstream: wide ones must not keep all others out. */
  get maxSeats(): number {
    const { handSize } = this.settings;
    if (handSize === 0) return Number.POSITIVE_INFINITY;
    const { nominal } = this.limits;
    return Math.max(1, Math.min(Math.ceil(nominal * 0.15), Math.floor(nominal / handSize)));
  }

  /** Gives it its seats, and its queues what the settings say. */
  setCurrent(seats: number): void {
    this.queues.configure(this.settings.queues, seats);
  }
}
