import assert from "node:assert/strict";
import type { RangeOptions, Store, StoreEntry } from "../../store/index.js";
import { assertRejects, bytes, type StoreCheck } from "./check.js";

// Neighbours that sort differently by bytes, by UTF-16 code units and by locale.
const unusualNames = ["", "!", "/", "/x", "0", "A", "B", "a", "a b", "a/", "a/b", "a\u0000", "ab", "b", "z", "\u00e9"];
const beyondAscii = ["\u00fc/x", "\u4e2d", "\ud7ff", "\uff5e", "\u{1f600}", "\u{10ffff}"];

export const rangeChecks: readonly StoreCheck[] = [
  {
    name: "range gives the entries of a prefix, in the order of the keys' bytes",
    async run({ store, prefix }) {
      const keys = [...unusualNames, ...beyondAscii].map((name) => `${prefix}k${name}`);
      for (const key of [...keys].reverse()) await store.create(key, bytes(key));
      const sorted = [...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      const { entries, count, more } = await store.range(prefix);
      assert.deepEqual(keysOf(entries), sorted);
      assert.deepEqual(
        entries.map((entry) => String(entry.value)),
        sorted,
      );
      assert.equal(count, sorted.length);
      assert.equal(more, false);
    },
  },
  {
    name: "a prefix is a prefix of the key's text, and takes in nothing beside it",
    async run({ store, prefix }) {
      for (const name of ["a", "a/1", "a/2", "ab", "ab/1", "b/1"]) await store.create(`${prefix}${name}`, bytes(name));
      const names = async (part: string): Promise<string[]> =>
        keysOf((await store.range(`${prefix}${part}`)).entries).map((key) => key.slice(prefix.length));
      assert.deepEqual(await names("a/"), ["a/1", "a/2"]);
      assert.deepEqual(await names("a"), ["a", "a/1", "a/2", "ab", "ab/1"]);
      assert.deepEqual(await names("ab"), ["ab", "ab/1"]);
      assert.deepEqual(await names("c"), []);
    },
  },
  {
    name: "range of nothing is empty and still at the current revision",
    async run({ store, prefix }) {
      const { revision } = await store.create(`${prefix}a`, bytes("1"));
      const result = await store.range(`${prefix}none/`);
      assert.deepEqual(result, { entries: [], revision, more: false, count: 0 });
    },
  },
  {
    name: "pages are limited, continue behind a key and say what is left",
    async run({ store, prefix }) {
      for (let index = 10; index < 35; index++) await store.create(`${prefix}${index}`, bytes(index));
      const first = await store.range(prefix, { limit: 10 });
      assert.deepEqual([first.entries.length, first.more, first.count], [10, true, 25]);
      const second = await store.range(prefix, { limit: 10, after: `${prefix}19` });
      assert.deepEqual([second.entries[0]?.key, second.more, second.count], [`${prefix}20`, true, 15]);
      const third = await store.range(prefix, { limit: 10, after: `${prefix}29` });
      assert.deepEqual([third.entries.length, third.more, third.count], [5, false, 5]);
      const exact = await store.range(prefix, { limit: 5, after: `${prefix}29` });
      assert.deepEqual([exact.entries.length, exact.more, exact.count], [5, false, 5]);
      const absent = await store.range(prefix, { after: `${prefix}195`, limit: 1 });
      assert.deepEqual([absent.entries[0]?.key, absent.count], [`${prefix}20`, 15]);
      const end = await store.range(prefix, { after: `${prefix}34` });
      assert.deepEqual([end.entries.length, end.more, end.count], [0, false, 0]);
    },
  },
  {
    name: "countOnly counts without giving entries",
    async run({ store, prefix }) {
      for (let index = 0; index < 7; index++) await store.create(`${prefix}${index}`, bytes(index));
      const result = await store.range(prefix, { countOnly: true });
      assert.deepEqual([result.entries.length, result.count], [0, 7]);
    },
  },
  {
    name: "pages at one revision are one snapshot, whatever is written meanwhile",
    async run({ store, prefix }) {
      const expected: string[] = [];
      for (let index = 10; index < 40; index++) {
        await store.create(`${prefix}${index}`, bytes(`old-${index}`));
        expected.push(`${prefix}${index}=old-${index}`);
      }
      const { revision } = await store.range(prefix, { limit: 1 });
      const found = await readAllPages(store, prefix, { revision, limit: 7 }, async (page) => {
        const first = page[0];
        const last = page.at(-1);
        if (first === undefined || last === undefined) return;
        await store.delete(first.key, first.revision);
        await store.update(last.key, bytes("new"), last.revision);
        await store.create(`${last.key}x`, bytes("new"));
      });
      assert.deepEqual(found, expected);
    },
  },
  {
    name: "the past can be read at every revision",
    async run({ store, prefix }) {
      const history: { revision: number; state: string[] }[] = [];
      const state = new Map<string, string>();
      const note = (revision: number): number => {
        history.push({ revision, state: [...state].map(([key, value]) => `${key}=${value}`).sort() });
        return revision;
      };
      for (const name of ["a", "b"]) {
        state.set(`${prefix}${name}`, "1");
        const created = note((await store.create(`${prefix}${name}`, bytes("1"))).revision);
        state.set(`${prefix}${name}`, "2");
        const updated = note((await store.update(`${prefix}${name}`, bytes("2"), created)).revision);
        state.delete(`${prefix}${name}`);
        note(await store.delete(`${prefix}${name}`, updated));
        state.set(`${prefix}${name}`, "3");
        note((await store.create(`${prefix}${name}`, bytes("3"))).revision);
      }
      for (const { revision, state: expected } of history) {
        const result = await store.range(prefix, { revision });
        assert.equal(result.revision, revision);
        assert.deepEqual(
          result.entries.map((entry) => `${entry.key}=${entry.value}`),
          expected,
        );
        assert.equal(result.count, expected.length);
      }
    },
  },
  {
    name: "a revision that has not happened yet is refused as future",
    async run({ store, prefix }) {
      const revision = await store.revision();
      await assertRejects(store.range(prefix, { revision: revision + 1 }), "future");
      await assertRejects(store.compact(revision + 1), "future");
      await assertRejects(collectOne(store, prefix, revision + 1), "future");
    },
  },
  {
    name: "after compaction the revision itself can be read and older ones are refused as compacted",
    async run({ store, prefix }) {
      const first = await store.create(`${prefix}a`, bytes("1"));
      const second = await store.update(`${prefix}a`, bytes("2"), first.revision);
      const third = await store.update(`${prefix}a`, bytes("3"), second.revision);
      await store.compact(second.revision);
      const then = await store.range(prefix, { revision: second.revision });
      assert.deepEqual(
        then.entries.map((entry) => String(entry.value)),
        ["2"],
      );
      await assertRejects(store.range(prefix, { revision: first.revision }), "compacted");
      await assertRejects(store.compact(first.revision), "compacted");
      const now = await store.range(prefix);
      assert.deepEqual(
        now.entries.map((entry) => String(entry.value)),
        ["3"],
      );
      assert.equal(now.revision, third.revision);
    },
  },
  {
    name: "compaction keeps the newest version of each key and forgets the deleted",
    async run({ store, prefix }) {
      const kept = await store.create(`${prefix}kept`, bytes("1"));
      const gone = await store.create(`${prefix}gone`, bytes("1"));
      await store.delete(`${prefix}gone`, gone.revision);
      const { revision } = await store.create(`${prefix}last`, bytes("1"));
      await store.compact(revision);
      assert.deepEqual(keysOf((await store.range(prefix)).entries), [`${prefix}kept`, `${prefix}last`]);
      assert.equal((await store.get(`${prefix}kept`))?.revision, kept.revision);
      await assertRejects(store.update(`${prefix}gone`, bytes("2"), gone.revision), "not-found");
      assert.equal((await store.create(`${prefix}gone`, bytes("2"))).revision, revision + 1);
    },
  },
];

function keysOf(entries: readonly StoreEntry[]): string[] {
  return entries.map((entry) => entry.key);
}

async function collectOne(store: Store, prefix: string, afterRevision: number): Promise<void> {
  for await (const _ of store.watch(prefix, { afterRevision })) return;
}

async function readAllPages(
  store: Store,
  prefix: string,
  options: RangeOptions,
  between: (page: readonly StoreEntry[]) => Promise<void>,
): Promise<string[]> {
  const found: string[] = [];
  let after: string | undefined;
  for (;;) {
    const page = await store.range(prefix, { ...options, after });
    assert.equal(page.revision, options.revision);
    found.push(...page.entries.map((entry) => `${entry.key}=${entry.value}`));
    if (!page.more) return found;
    after = page.entries.at(-1)?.key;
    await between(page.entries);
  }
}
