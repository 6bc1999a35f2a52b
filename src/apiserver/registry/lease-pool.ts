import type { Clock } from "../../internal/clock.js";
import type { Store, StoreLease } from "../../store/index.js";

/** Objects written within this time of one another share a lease. */
const shareSeconds = 60;

/** Leases for objects that remove themselves after a while: a few, shared, instead of one for each object. */
export class LeasePool {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #byTtl = new Map<number, { readonly lease: Promise<StoreLease>; readonly until: number }>();

  constructor(store: Store, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** The id of a lease that lives at least `ttlSeconds`, undefined for objects that stay. */
  leaseFor(ttlSeconds: number | undefined): Promise<string> | undefined {
    if (ttlSeconds === undefined) return undefined;
    const known = this.#byTtl.get(ttlSeconds);
    if (known !== undefined && known.until > this.#clock.now()) return known.lease.then(({ id }) => id);
    const lease = this.#store.grantLease(ttlSeconds + shareSeconds);
    this.#byTtl.set(ttlSeconds, { lease, until: this.#clock.now() + shareSeconds * 1000 });
    lease.catch(() => this.#byTtl.delete(ttlSeconds));
    return lease.then(({ id }) => id);
  }
}
