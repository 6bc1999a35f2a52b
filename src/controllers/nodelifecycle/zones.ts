import type { Node } from "../../api/index.js";
import { TokenBucket } from "../../client/index.js";
import type { Clock } from "../../internal/clock.js";
import { findCondition } from "../shared/conditions.js";

type ZoneState = "Normal" | "PartialDisruption" | "FullDisruption";

// The defaults of upstream's flags.
const evictionsPerSecond = 0.1;
const secondaryPerSecond = 0.01;
const unhealthyShare = 0.55;
const largeClusterNodes = 50;

export function zoneOf({ metadata: { labels } }: Node): string {
  const region = labels?.["topology.kubernetes.io/region"] ?? "";
  const zone = labels?.["topology.kubernetes.io/zone"] ?? "";
  return region === "" && zone === "" ? "" : `${region}:\x00:${zone}`;
}

/**
 * How fast nodes may be given up, zone by zone. Where many fail at once it is rather the network that failed, so it goes
 * slower; where all fail, in all zones, nothing is evicted at all.
 */
export class Zones {
  readonly #clock: Clock;
  readonly #buckets = new Map<string, TokenBucket>();
  #states = new Map<string, ZoneState>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Every zone is down: whoever looks is cut off. */
  get allDown(): boolean {
    return this.#states.size > 0 && [...this.#states.values()].every((state) => state === "FullDisruption");
  }

  update(nodes: Iterable<Node>): void {
    const counts = new Map<string, { total: number; bad: number }>();
    for (const node of nodes) {
      const zone = zoneOf(node);
      const count = counts.get(zone) ?? { total: 0, bad: 0 };
      counts.set(zone, count);
      count.total++;
      if (findCondition(node.status?.conditions, "Ready")?.status !== "True") count.bad++;
    }
    this.#states = new Map();
    for (const [zone, { total, bad }] of counts) {
      const state =
        bad === total ? "FullDisruption" : bad > 2 && bad / total >= unhealthyShare ? "PartialDisruption" : "Normal";
      this.#states.set(zone, state);
    }
    for (const [zone, state] of this.#states) {
      const size = counts.get(zone)?.total ?? 0;
      const slow = size > largeClusterNodes ? secondaryPerSecond : 0;
      this.#bucket(zone).perSecond = this.allDown ? 0 : state === "PartialDisruption" ? slow : evictionsPerSecond;
    }
    for (const zone of this.#buckets.keys()) if (!counts.has(zone)) this.#buckets.delete(zone);
  }

  /** Whether one more node of the zone may be given up now. */
  mayEvict(zone: string): boolean {
    return !this.allDown && this.#bucket(zone).tryTake();
  }

  #bucket(zone: string): TokenBucket {
    let bucket = this.#buckets.get(zone);
    if (bucket === undefined) {
      bucket = new TokenBucket(this.#clock, 1, evictionsPerSecond);
      this.#buckets.set(zone, bucket);
    }
    return bucket;
  }
}
