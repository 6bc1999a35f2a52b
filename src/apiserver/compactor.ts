import { type Clock, sleep } from "../internal/clock.js";
import type { Component } from "../internal/component.js";
import { type Logger, silentLogger } from "../internal/logger.js";
import { type Store, type StoreEntry, StoreError } from "../store/index.js";

/**
 * Upstream's key, beside those of objects: its value is the revision before which history is being forgotten. Whoever writes it
 * compacts, so of several API servers on one store, upstream's among them, one does in each interval.
 */
export const compactionKey = "compact_rev_key";

export interface CompactorOptions {
  readonly store: Store;
  readonly clock: Clock;
  /** How long history is kept at least; it is forgotten before it is twice as old. */
  readonly intervalMs: number;
  readonly logger?: Logger;
}

/** Lets a store forget what clients had time to see. A store that cannot be reached is tried again in the next interval. */
export function createCompactor({ store, clock, intervalMs, logger = silentLogger }: CompactorOptions): Component {
  return {
    name: "compactor",
    async run({ signal, ready }) {
      ready();
      let seen: Seen = { entry: undefined, revision: 0 };
      for (;;) {
        await sleep(clock, intervalMs, signal);
        if (signal.aborted) return;
        try {
          seen = await compactOnce(store, seen, signal);
        } catch (error) {
          if (signal.aborted) return;
          logger.warn("cannot compact the store", { error });
        }
      }
    },
  };
}

interface Seen {
  /** The key as it was an interval ago. */
  readonly entry: StoreEntry | undefined;
  /** Of the store, an interval ago; 0: not known. */
  readonly revision: number;
}

async function compactOnce(store: Store, { entry, revision }: Seen, signal: AbortSignal): Promise<Seen> {
  const value = Buffer.from(String(revision));
  let written: StoreEntry;
  try {
    written = await (entry === undefined
      ? store.create(compactionKey, value, { signal })
      : store.update(compactionKey, value, entry.revision, { signal }));
  } catch (error) {
    if (!(error instanceof StoreError) || !["exists", "conflict", "not-found"].includes(error.code)) throw error;
    // Somebody else compacts; who is last to write goes on from there.
    return { entry: await store.get(compactionKey, { signal }), revision: await store.revision({ signal }) };
  }
  if (revision > 0) {
    await store.compact(revision, { signal }).catch((error: unknown) => {
      if (!(error instanceof StoreError) || error.code !== "compacted") throw error;
    });
  }
  return { entry: written, revision: written.revision };
}
