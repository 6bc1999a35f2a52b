import { describe, expect, test } from "vitest";
import { VirtualClock } from "../internal/virtual-clock.js";
import { MemoryStore, type Store, type StoreEvent, type WatchBatch } from "../store/index.js";
import { runStoreCheck, storeChecks } from "./store-contract.js";

type Break = (sound: MemoryStore) => Partial<Store>;

/** A store that is sound but for the methods that `breakIt` replaces. */
function broken(breakIt: Break): () => { store: Store; advance: (durationMs: number) => Promise<void> } {
  return () => {
    const clock = new VirtualClock();
    const sound = new MemoryStore({ clock });
    const store: Store = {
      create: (key, value, options) => sound.create(key, value, options),
      update: (key, value, expected, options) => sound.update(key, value, expected, options),
      delete: (key, expected, options) => sound.delete(key, expected, options),
      get: (key, options) => sound.get(key, options),
      range: (prefix, options) => sound.range(prefix, options),
      watch: (prefix, options) => sound.watch(prefix, options),
      revision: (options) => sound.revision(options),
      compact: (revision, options) => sound.compact(revision, options),
      grantLease: (ttlSeconds, options) => sound.grantLease(ttlSeconds, options),
      [Symbol.asyncDispose]: () => sound[Symbol.asyncDispose](),
      ...breakIt(sound),
    };
    return { store, advance: (durationMs) => clock.advance(durationMs) };
  };
}

/** Changes what watches deliver. `seen` counts the events of one watch so far. */
function brokenWatch(change: (events: readonly StoreEvent[], seen: number) => readonly StoreEvent[]): Break {
  return (sound) => ({
    watch: (prefix, options) => ({
      async *[Symbol.asyncIterator](): AsyncGenerator<WatchBatch> {
        let seen = 0;
        for await (const batch of sound.watch(prefix, options)) {
          yield { ...batch, events: change(batch.events, seen) };
          seen += batch.events.length;
        }
      },
    }),
  });
}

/** Nothing in memory takes so many turns of the event loop: what has not happened by then never does. */
async function hung(): Promise<string> {
  for (let turn = 0; turn < 5000; turn++) await new Promise((resolve) => setImmediate(resolve));
  return "hung";
}

async function failures(breakIt: Break): Promise<string[]> {
  const names: string[] = [];
  for (const check of storeChecks) {
    const outcome = runStoreCheck(check, broken(breakIt)).then(
      () => "passed",
      () => "failed",
    );
    if ((await Promise.race([outcome, hung()])) !== "passed") names.push(check.name);
  }
  return names;
}

const concurrent = "watches lose and repeat nothing under concurrent writers, whenever they begin";

const cases: { name: string; breakIt: Break; caughtBy: string }[] = [
  {
    name: "loses one event in a hundred",
    breakIt: brokenWatch((events, seen) => events.filter((_, index) => (seen + index) % 100 !== 99)),
    caughtBy: concurrent,
  },
  {
    name: "repeats an event in a later batch",
    breakIt: (sound) => {
      let last: StoreEvent | undefined;
      return brokenWatch((events, seen) => {
        const repeated = seen > 0 && last !== undefined ? [last, ...events] : events;
        last = events.at(-1) ?? last;
        return repeated;
      })(sound);
    },
    caughtBy: concurrent,
  },
  {
    name: "swaps two events",
    breakIt: brokenWatch((events) => [...events].reverse()),
    caughtBy: concurrent,
  },
  {
    name: "gives no previous version with deletions",
    breakIt: brokenWatch((events) =>
      events.map((event) => (event.type === "delete" ? { ...event, previous: undefined } : event)),
    ),
    caughtBy: "a watch replays the past with every version's value and what was there before",
  },
  {
    name: "gives the version itself as the previous one",
    breakIt: brokenWatch((events) =>
      events.map((event) => (event.type === "put" ? { ...event, previous: event.entry } : event)),
    ),
    caughtBy: "a watch replays the past with every version's value and what was there before",
  },
  {
    name: "claims to have delivered up to the current revision when it has not",
    breakIt: (sound) => ({
      watch: (prefix, options) => ({
        async *[Symbol.asyncIterator](): AsyncGenerator<WatchBatch> {
          yield { events: [], revision: await sound.revision() };
          yield* sound.watch(prefix, options);
        },
      }),
    }),
    caughtBy: concurrent,
  },
  {
    name: "begins one revision late",
    breakIt: (sound) => ({
      watch: (prefix, options) => sound.watch(prefix, { ...options, afterRevision: options.afterRevision + 1 }),
    }),
    caughtBy: "a watch replays the past with every version's value and what was there before",
  },
  {
    name: "shares one revision between two keys",
    breakIt: (sound) => {
      const claimed = (revision: number): number => revision - (revision % 2);
      return {
        create: async (key, value, options) => {
          const entry = await sound.create(key, value, options);
          return { ...entry, revision: claimed(entry.revision), createRevision: claimed(entry.createRevision) };
        },
      };
    },
    caughtBy: "concurrent writes to different keys each have a revision of their own, without gaps",
  },
  {
    name: "reads what was there one write ago",
    breakIt: (sound) => ({
      get: async (key, options) => {
        await sound.get(key, options);
        const revision = Math.max(1, (await sound.revision()) - 1);
        return (await sound.range(key, { revision })).entries.find((entry) => entry.key === key);
      },
    }),
    caughtBy: "a read after an acknowledged write sees it",
  },
  {
    name: "updates whatever revision is there",
    breakIt: (sound) => ({
      update: async (key, value, _expected, options) =>
        sound.update(key, value, (await sound.get(key))?.revision ?? 0, options),
    }),
    caughtBy: "update at another revision is a conflict that carries what is there",
  },
  {
    name: "reads the present when it is asked for the past",
    breakIt: (sound) => ({
      range: async (prefix, { revision, ...options } = {}) => {
        const result = await sound.range(prefix, options);
        return revision === undefined ? result : { ...result, revision };
      },
    }),
    caughtBy: "pages at one revision are one snapshot, whatever is written meanwhile",
  },
  {
    name: "never says that there is more",
    breakIt: (sound) => ({
      range: async (prefix, options) => ({ ...(await sound.range(prefix, options)), more: false }),
    }),
    caughtBy: "pages are limited, continue behind a key and say what is left",
  },
  {
    name: "lets a prefix take in its longer siblings",
    breakIt: (sound) => ({ range: (prefix, options) => sound.range(prefix.replace(/\/$/, ""), options) }),
    caughtBy: "a prefix is a prefix of the key's text, and takes in nothing beside it",
  },
  {
    name: "ends a watch silently where it should say compacted",
    breakIt: (sound) => ({
      watch: (prefix, options) => ({
        async *[Symbol.asyncIterator](): AsyncGenerator<WatchBatch> {
          try {
            yield* sound.watch(prefix, options);
          } catch {
            // The fault under test: silence.
          }
        },
      }),
    }),
    caughtBy: "a watch from before the compaction is refused, from its revision on it works",
  },
  {
    name: "never lets a lease run out",
    breakIt: (sound) => ({
      grantLease: async (_ttlSeconds, options) => ({ ...(await sound.grantLease(1e6, options)), ttlSeconds: 1 }),
    }),
    caughtBy: "the keys of a lease that runs out are deleted, as watched deletions with revisions of their own",
  },
];

describe("the contract suite of stores", () => {
  test("finds nothing wrong with a sound store", async () => {
    expect(await failures(() => ({}))).toEqual([]);
  });

  test.each(cases)("catches a store that $name", async ({ breakIt, caughtBy }) => {
    expect(await failures(breakIt)).toContain(caughtBy);
  });
});
