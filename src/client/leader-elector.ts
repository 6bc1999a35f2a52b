import { isStatusError, type Lease, leases } from "../api/index.js";
import { type Clock, microTimestamp, realClock, sleep } from "../internal/clock.js";
import { type Logger, silentLogger } from "../internal/logger.js";
import { type Random, systemRandom } from "../internal/random.js";
import type { Client } from "./client.js";

export interface LeaderElectorOptions {
  readonly client: Client;
  readonly namespace: string;
  /** Of the Lease. */
  readonly name: string;
  /** Unique among the candidates. */
  readonly identity: string;
  /** Others may take over so long after the last renewal that they saw. Default 15 s. */
  readonly leaseDurationMs?: number;
  /** The leader steps down when it could not renew for so long; less than the lease. Default 10 s. */
  readonly renewDeadlineMs?: number;
  /** Between tries. Default 2 s. */
  readonly retryPeriodMs?: number;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly logger?: Logger;
  /** Each time that another holder is seen, or this one wins. */
  readonly onNewLeader?: (identity: string) => void;
}

/** A candidate spreads its tries over this much more than the retry period, so that two do not keep step. */
const jitterFactor = 1.2;

/**
 * Elects one of many by a Lease. A holder is believed alive as long as the Lease changes: times are measured from when
 * this process saw the change, on its own clock, so clocks of different hosts need not agree, only run at one rate.
 */
export class LeaderElector {
  readonly #options: Required<Omit<LeaderElectorOptions, "onNewLeader">> & Pick<LeaderElectorOptions, "onNewLeader">;
  #observed: Lease | undefined;
  #observedAt = 0;
  #reported = "";

  constructor(options: LeaderElectorOptions) {
    this.#options = {
      leaseDurationMs: 15_000,
      renewDeadlineMs: 10_000,
      retryPeriodMs: 2_000,
      clock: realClock,
      random: systemRandom,
      logger: silentLogger,
      ...options,
    };
  }

  get leader(): string {
    return this.#observed?.spec?.holderIdentity ?? "";
  }

  get isLeader(): boolean {
    return this.leader === this.#options.identity;
  }

  /**
   * Waits to become the leader, then runs `lead` with a signal that aborts when leadership is lost or `signal`
   * aborts. Resolves to why it ended; the Lease is given up when it was still held. Rejects only with what `lead` threw.
   */
  async run(
    signal: AbortSignal,
    lead: (signal: AbortSignal) => Promise<void>,
  ): Promise<"stopped" | "lost" | "finished"> {
    const { clock, random, retryPeriodMs } = this.#options;
    while (!signal.aborted && !(await this.#tryAcquireOrRenew(signal))) {
      await sleep(clock, retryPeriodMs * (1 + jitterFactor * random.next()), signal);
    }
    if (signal.aborted) {
      if (this.isLeader) await this.#release();
      return "stopped";
    }
    const leading = new AbortController();
    const stop = (): void => leading.abort(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
    let finished = false;
    try {
      const work = lead(leading.signal).finally(() => {
        finished = true;
        leading.abort();
      });
      const renewing = this.#renewUntilLost(leading.signal).then(() => leading.abort());
      await Promise.all([work, renewing]);
    } finally {
      signal.removeEventListener("abort", stop);
      leading.abort();
      if (this.isLeader) await this.#release();
    }
    if (signal.aborted) return "stopped";
    return finished && this.isLeader ? "finished" : "lost";
  }

  async #renewUntilLost(signal: AbortSignal): Promise<void> {
    const { clock, retryPeriodMs, renewDeadlineMs, logger } = this.#options;
    let renewedAt = clock.now();
    while (!signal.aborted) {
      await sleep(clock, retryPeriodMs, signal);
      if (signal.aborted) return;
      if (await this.#tryAcquireOrRenew(signal)) renewedAt = clock.now();
      else if (!this.isLeader || clock.now() - renewedAt >= renewDeadlineMs) {
        logger.warn("lost the lease", { lease: this.#options.name });
        return;
      }
    }
  }

  async #tryAcquireOrRenew(signal: AbortSignal): Promise<boolean> {
    const { logger, name } = this.#options;
    // A request that hangs must not keep a leader from stepping down.
    const timeout = new AbortController();
    const timer = this.#options.clock.setTimeout(() => timeout.abort(), this.#options.renewDeadlineMs);
    try {
      return await this.#claim(AbortSignal.any([signal, timeout.signal]));
    } catch (error) {
      if (!signal.aborted) logger.warn("cannot claim the lease", { lease: name, error });
      return false;
    } finally {
      timer.cancel();
    }
  }

  async #claim(signal: AbortSignal): Promise<boolean> {
    const { client, namespace, name, identity, clock, leaseDurationMs } = this.#options;
    const now = microTimestamp(clock);
    const spec = {
      holderIdentity: identity,
      leaseDurationSeconds: Math.ceil(leaseDurationMs / 1000),
      acquireTime: now,
      renewTime: now,
      leaseTransitions: 0,
    };
    let current = this.isLeader ? this.#observed : undefined;
    if (current === undefined) {
      try {
        current = await client.get(leases, { namespace, name }, { signal });
      } catch (error) {
        if (!isStatusError(error, "NotFound")) throw error;
        const created = await client.create(
          leases,
          { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata: { namespace, name }, spec },
          { signal },
        );
        this.#observe(created);
        return true;
      }
      this.#observe(current);
    }
    const holder = current.spec?.holderIdentity ?? "";
    if (holder !== "" && holder !== identity && clock.now() < this.#observedAt + this.#durationMs(current))
      return false;
    const same = holder === identity;
    const next: Lease = {
      ...current,
      spec: {
        ...spec,
        acquireTime: same ? (current.spec?.acquireTime ?? now) : now,
        leaseTransitions: (current.spec?.leaseTransitions ?? 0) + (same ? 0 : 1),
      },
    };
    try {
      this.#observe(await client.update(leases, next, { signal }));
      return true;
    } catch (error) {
      if (!isStatusError(error, "Conflict") && !isStatusError(error, "NotFound")) throw error;
      // Somebody else wrote it: look again at the next try.
      this.#observed = await client.get(leases, { namespace, name }, { signal });
      this.#observe(this.#observed);
      return false;
    }
  }

  #durationMs(lease: Lease): number {
    return (lease.spec?.leaseDurationSeconds ?? this.#options.leaseDurationMs / 1000) * 1000;
  }

  #observe(lease: Lease): void {
    const before = this.#observed?.spec;
    const after = lease.spec;
    if (before?.renewTime !== after?.renewTime || before?.holderIdentity !== after?.holderIdentity) {
      this.#observedAt = this.#options.clock.now();
    }
    this.#observed = lease;
    const holder = after?.holderIdentity ?? "";
    if (holder !== "" && holder !== this.#reported) {
      this.#reported = holder;
      this.#options.onNewLeader?.(holder);
    }
  }

  async #release(): Promise<void> {
    const { client, clock, logger, name, renewDeadlineMs } = this.#options;
    const lease = this.#observed;
    if (lease === undefined) return;
    const now = microTimestamp(clock);
    const timeout = new AbortController();
    const timer = clock.setTimeout(() => timeout.abort(), renewDeadlineMs);
    try {
      const spec = { ...lease.spec, holderIdentity: "", leaseDurationSeconds: 1, renewTime: now, acquireTime: now };
      this.#observed = await client.update(leases, { ...lease, spec }, { signal: timeout.signal });
    } catch (error) {
      logger.warn("cannot give up the lease", { lease: name, error });
    } finally {
      timer.cancel();
    }
  }
}
