import assert from "node:assert/strict";
import type { Store, StoreEvent } from "../../store/index.js";
import { StoreError } from "../../store/index.js";
import {
  assertWatchFails,
  background,
  bytes,
  collect,
  describeEvent,
  eventKey,
  eventRevision,
  type StoreCheck,
  type StoreCheckContext,
} from "./check.js";

export const watchChecks: readonly StoreCheck[] = [
  {
    name: "a watch replays the past with every version's value and what was there before",
    async run(context) {
      const { store, prefix } = context;
      const start = await store.revision();
      const key = `${prefix}a`;
      const first = await store.create(key, bytes("1"));
      const second = await store.update(key, bytes("2"), first.revision);
      const gone = await store.delete(key, second.revision);
      const again = await store.create(key, bytes("3"));
      const expected = [
        `put ${key}=1@${first.revision}`,
        `put ${key}=2@${second.revision} was 1@${first.revision}`,
        `delete ${key}@${gone} was 2@${second.revision}`,
        `put ${key}=3@${again.revision}`,
      ];
      for (let skip = 0; skip < expected.length; skip++) {
        const events = await collect(context, { afterRevision: start + skip, untilRevision: again.revision });
        assert.deepEqual(events.map(describeEvent), expected.slice(skip));
      }
      const [created] = await collect(context, { afterRevision: start, untilRevision: again.revision });
      assert.ok(created?.type === "put");
      assert.equal(created.entry.createRevision, first.revision);
    },
  },
  {
    name: "a watch delivers what happens after it began",
    async run(context) {
      const { store, prefix } = context;
      const start = await store.revision();
      const iterator = store.watch(prefix, { afterRevision: start })[Symbol.asyncIterator]();
      for (let round = 0; round < 20; round++) {
        const entry = await store.create(`${prefix}${round}`, bytes(round));
        const events: StoreEvent[] = [];
        while (events.length === 0) events.push(...((await iterator.next()).value?.events ?? []));
        assert.deepEqual(events.map(describeEvent), [`put ${prefix}${round}=${round}@${entry.revision}`]);
      }
      await iterator.return?.();
    },
  },
  {
    name: "a watch sees its prefix only",
    async run(context) {
      const { store, prefix } = context;
      const start = await store.revision();
      for (const name of ["a", "a/1", "ab/1", "b", "a/2", "A/1"]) await store.create(`${prefix}${name}`, bytes("1"));
      const { revision } = await store.create(`${prefix}a/3`, bytes("1"));
      const seen = async (part: string): Promise<string[]> => {
        const options = { prefix: `${prefix}${part}`, afterRevision: start, untilRevision: revision };
        return (await collect(context, options)).map((event) => eventKey(event).slice(prefix.length));
      };
      assert.deepEqual(await seen("a/"), ["a/1", "a/2", "a/3"]);
      assert.deepEqual(await seen("a"), ["a", "a/1", "ab/1", "a/2", "a/3"]);
    },
  },
  {
    name: "watches lose and repeat nothing under concurrent writers, whenever they begin",
    run: losesNothing,
  },
  {
    name: "a watch begun at the revision of a range continues it without gap or repeat",
    async run(context) {
      const { store, prefix } = context;
      const writers = [0, 1, 2, 3].map((writer) => writeRandomly(store, `${prefix}${writer}`, 40));
      const writing = background(Promise.all(writers));
      const snapshot = await store.range(prefix);
      await writing;
      const { revision } = await store.create(`${prefix}end`, bytes("end"));
      const state = new Map(snapshot.entries.map((entry) => [entry.key, String(entry.value)]));
      for (const event of await collect(context, { afterRevision: snapshot.revision, untilRevision: revision })) {
        assert.equal(
          event.previous === undefined ? undefined : String(event.previous.value),
          state.get(eventKey(event)),
        );
        if (event.type === "put") state.set(event.entry.key, String(event.entry.value));
        else state.delete(event.key);
      }
      const now = await store.range(prefix);
      assert.deepEqual([...state].sort(), now.entries.map((entry) => [entry.key, String(entry.value)]).sort());
    },
  },
  {
    name: "after revision() every watch reaches that revision, also when nothing happens under its prefix",
    async run(context) {
      const { store, prefix } = context;
      const start = await store.revision();
      const options = { prefix: `${prefix}quiet/`, afterRevision: start };
      await store.create(`${prefix}loud/1`, bytes("1"));
      assert.deepEqual(await collect(context, { ...options, untilRevision: await store.revision() }), []);
      const iterator = store.watch(options.prefix, options)[Symbol.asyncIterator]();
      let reached = start;
      for (let round = 0; round < 5; round++) {
        const waiting = background(iterator.next());
        await store.create(`${prefix}loud/again-${round}`, bytes("1"));
        const revision = await store.revision();
        for (let next = await waiting; ; next = await iterator.next()) {
          assert.equal(next.value?.events.length, 0);
          reached = next.value?.revision ?? reached;
          if (reached >= revision) break;
        }
      }
      await iterator.return?.();
    },
  },
  {
    name: "aborting ends a watch without an error: before it begins, while it waits, between batches",
    async run({ store, prefix }) {
      const afterRevision = await store.revision();
      for await (const _ of store.watch(prefix, { afterRevision, signal: AbortSignal.abort() })) assert.fail();
      const waiting = new AbortController();
      const ended = background(
        (async () => {
          for await (const batch of store.watch(prefix, { afterRevision, signal: waiting.signal })) {
            assert.equal(batch.events.length, 0);
          }
        })(),
      );
      await store.revision();
      waiting.abort();
      await ended;
      for (let index = 0; index < 3; index++) await store.create(`${prefix}${index}`, bytes("1"));
      const between = new AbortController();
      let batches = 0;
      for await (const _ of store.watch(prefix, { afterRevision, signal: between.signal })) {
        batches++;
        between.abort();
      }
      assert.equal(batches, 1);
    },
  },
  {
    name: "a consumer that returns ends its watch and no other",
    async run(context) {
      const { store, prefix } = context;
      const afterRevision = await store.revision();
      const { revision } = await store.create(`${prefix}a`, bytes("1"));
      const iterator = store.watch(prefix, { afterRevision })[Symbol.asyncIterator]();
      for await (const batch of store.watch(prefix, { afterRevision })) if (batch.events.length > 0) break;
      const last = await store.update(`${prefix}a`, bytes("2"), revision);
      const seen: number[] = [];
      while (seen.length < 2) seen.push(...((await iterator.next()).value?.events ?? []).map(eventRevision));
      assert.deepEqual(seen, [revision, last.revision]);
      assert.equal((await iterator.return?.())?.done, true);
      assert.equal((await iterator.next()).done, true);
    },
  },
  {
    name: "a watch can be iterated twice, each time from its revision",
    async run({ store, prefix }) {
      const afterRevision = await store.revision();
      const { revision } = await store.create(`${prefix}a`, bytes("1"));
      const watch = store.watch(prefix, { afterRevision });
      for (let round = 0; round < 2; round++) {
        for await (const batch of watch) {
          if (batch.events.length === 0) continue;
          assert.deepEqual(batch.events.map(eventRevision), [revision]);
          break;
        }
      }
    },
  },
  {
    name: "a watch from before the compaction is refused, from its revision on it works",
    async run(context) {
      const { store, prefix } = context;
      const first = await store.create(`${prefix}a`, bytes("1"));
      const second = await store.update(`${prefix}a`, bytes("2"), first.revision);
      const third = await store.update(`${prefix}a`, bytes("3"), second.revision);
      await store.compact(second.revision);
      await assertWatchFails(store.watch(prefix, { afterRevision: first.revision - 1 }), "compacted");
      const events = await collect(context, { afterRevision: second.revision, untilRevision: third.revision });
      assert.deepEqual(events.map(eventRevision), [third.revision]);
    },
  },
  {
    name: "compaction does not disturb a watch that has kept up",
    async run({ store, prefix }) {
      let { revision } = await store.create(`${prefix}a`, bytes("0"));
      const iterator = store.watch(prefix, { afterRevision: revision })[Symbol.asyncIterator]();
      for (let round = 1; round <= 10; round++) {
        const before = revision;
        revision = (await store.update(`${prefix}a`, bytes(round), before)).revision;
        const events: StoreEvent[] = [];
        while (events.length === 0) events.push(...((await iterator.next()).value?.events ?? []));
        assert.deepEqual(events.map(eventRevision), [revision]);
        await store.compact(revision);
      }
      await iterator.return?.();
    },
  },
  {
    name: "a consumer that is slow misses nothing, or is told and resumes",
    async run(context) {
      const { store, prefix } = context;
      const start = await store.revision();
      const iterator = store.watch(prefix, { afterRevision: start })[Symbol.asyncIterator]();
      const first = background(iterator.next());
      const writers = [0, 1, 2, 3].map((writer) => writeRandomly(store, `${prefix}${writer}`, 300));
      const written = (await Promise.all(writers)).flat();
      const { revision } = await store.create(`${prefix}end`, bytes("end"));
      const seen: StoreEvent[] = [];
      let reached = start;
      try {
        for (let next = await first; next.done !== true; next = await iterator.next()) {
          seen.push(...next.value.events);
          reached = next.value.revision;
          if (reached >= revision) break;
        }
      } catch (error) {
        assert.ok(error instanceof StoreError && error.code === "unavailable", String(error));
        seen.push(...(await collect(context, { afterRevision: reached, untilRevision: revision })));
      }
      await iterator.return?.();
      assert.deepEqual(
        seen.map(eventRevision),
        [...written, revision].sort((a, b) => a - b),
      );
    },
  },
];

async function losesNothing(context: StoreCheckContext): Promise<void> {
  const { store, prefix } = context;
  const start = await store.revision();
  const writers = Array.from({ length: 8 }, (_, writer) => writeRandomly(store, `${prefix}${writer}`, 60));
  const running = background(Promise.all(writers));
  const end = background(running.then(() => store.create(`${prefix}zz-end`, bytes("end"))));
  // Each watch begins where the store is at that moment, or before it, while the writers go on.
  const watches: Promise<{ after: number; events: StoreEvent[] }>[] = [];
  for (let round = 0; round < 12; round++) {
    const after = round % 3 === 0 ? start : await store.revision();
    watches.push(background(readTo(store, prefix, after)));
  }
  const written = (await running).flat().sort((a, b) => a - b);
  const { revision: last } = await end;
  const whole = await collect(context, { afterRevision: start, untilRevision: last });
  assert.deepEqual(whole.map(eventRevision), [...written, last]);
  for (const { after, events } of await Promise.all(watches)) {
    const expected = whole.filter((event) => eventRevision(event) > after);
    assert.deepEqual(events.map(describeEvent), expected.map(describeEvent));
  }
}

/** Reads until the key that ends the run. */
async function readTo(store: Store, prefix: string, after: number): Promise<{ after: number; events: StoreEvent[] }> {
  const events: StoreEvent[] = [];
  for await (const batch of store.watch(prefix, { afterRevision: after })) {
    events.push(...batch.events);
    if (batch.events.some((event) => eventKey(event) === `${prefix}zz-end`)) break;
  }
  return { after, events };
}

/** Creates, updates and deletes a few keys in turn; gives the revisions of its writes. */
async function writeRandomly(store: Store, name: string, count: number): Promise<number[]> {
  const revisions: number[] = [];
  const at = new Map<string, number>();
  for (let index = 0; index < count; index++) {
    const key = `${name}/${index % 3}`;
    const current = at.get(key);
    if (current === undefined) at.set(key, (await store.create(key, bytes(index))).revision);
    else if (index % 7 < 4) at.set(key, (await store.update(key, bytes(index), current)).revision);
    else {
      revisions.push(await store.delete(key, current));
      at.delete(key);
      continue;
    }
    revisions.push(at.get(key) ?? 0);
  }
  return revisions;
}
