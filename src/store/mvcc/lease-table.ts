import type { Clock, ClockTimer } from "../../internal/clock.js";
import { StoreError } from "../errors.js";

interface Lease {
  readonly id: string;
  readonly ttlMs: number;
  expiresAt: number;
  readonly keys: Set<string>;
  timer: ClockTimer | undefined;
}

/** Which keys live as long as which lease, and when that ends. */
export class LeaseTable {
  readonly #clock: Clock;
  readonly #expire: (id: string, keys: readonly string[]) => void;
  readonly #leases = new Map<string, Lease>();
  readonly #leaseOf = new Map<string, Lease>();

  /** `expire` deletes the keys of a lease that ran out; the lease is forgotten by then. */
  constructor(clock: Clock, expire: (id: string, keys: readonly string[]) => void) {
    this.#clock = clock;
    this.#expire = expire;
  }

  grant(id: string, ttlSeconds: number): void {
    const ttlMs = ttlSeconds * 1000;
    const lease: Lease = { id, ttlMs, expiresAt: this.#clock.now() + ttlMs, keys: new Set(), timer: undefined };
    this.#leases.set(id, lease);
    this.#arm(lease);
  }

  /** Throws no-lease unless `id` is alive. */
  require(id: string): void {
    this.#alive(id);
  }

  keepAlive(id: string): void {
    const lease = this.#alive(id);
    // The timer looks at the time again when it fires: renewing costs no timer.
    lease.expiresAt = this.#clock.now() + lease.ttlMs;
  }

  /** Binds `key` to the lease `id`, or to none. */
  bind(key: string, id: string | undefined): void {
    if (id === undefined && this.#leaseOf.size === 0) return;
    const before = this.#leaseOf.get(key);
    if (before?.id === id) return;
    before?.keys.delete(key);
    this.#leaseOf.delete(key);
    const lease = id === undefined ? undefined : this.#leases.get(id);
    if (lease === undefined) return;
    lease.keys.add(key);
    this.#leaseOf.set(key, lease);
  }

  /** Forgets the lease and gives its keys, for the caller to delete. */
  revoke(id: string): string[] {
    return this.#forget(this.#alive(id));
  }

  has(id: string): boolean {
    return this.#leases.has(id);
  }

  stop(): void {
    for (const lease of this.#leases.values()) lease.timer?.cancel();
    this.#leases.clear();
    this.#leaseOf.clear();
  }

  #alive(id: string): Lease {
    const lease = this.#leases.get(id);
    if (lease === undefined) throw new StoreError("no-lease", `lease ${id} does not exist`);
    return lease;
  }

  #forget(lease: Lease): string[] {
    lease.timer?.cancel();
    this.#leases.delete(lease.id);
    for (const key of lease.keys) this.#leaseOf.delete(key);
    return [...lease.keys].sort();
  }

  #arm(lease: Lease): void {
    const check = (): void => {
      if (lease.expiresAt > this.#clock.now()) this.#arm(lease);
      else this.#expire(lease.id, this.#forget(lease));
    };
    lease.timer = this.#clock.setTimeout(check, lease.expiresAt - this.#clock.now());
  }
}
