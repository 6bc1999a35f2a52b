import assert from "node:assert/strict";
import type { StoreEntry } from "../../store/index.js";
import { assertRejects, bytes, type StoreCheck } from "./check.js";

export const writeChecks: readonly StoreCheck[] = [
  {
    name: "create gives the entry and get finds it",
    async run({ store, prefix }) {
      const before = await store.revision();
      const entry = await store.create(`${prefix}a`, bytes("1"));
      assert.equal(entry.key, `${prefix}a`);
      assert.equal(String(entry.value), "1");
      assert.equal(entry.revision, before + 1);
      assert.equal(entry.createRevision, entry.revision);
      assertEntry(await store.get(`${prefix}a`), entry);
    },
  },
  {
    name: "a fresh store is not at revision 0, which means something else to clients",
    async run({ store }) {
      assert.ok((await store.revision()) >= 1);
    },
  },
  {
    name: "get of an absent key is undefined",
    async run({ store, prefix }) {
      assert.equal(await store.get(`${prefix}a`), undefined);
      await store.create(`${prefix}ab`, bytes("1"));
      assert.equal(await store.get(`${prefix}a`), undefined);
    },
  },
  {
    name: "create of an existing key is refused and changes nothing",
    async run({ store, prefix }) {
      const entry = await store.create(`${prefix}a`, bytes("1"));
      await assertRejects(store.create(`${prefix}a`, bytes("2")), "exists");
      assertEntry(await store.get(`${prefix}a`), entry);
      assert.equal(await store.revision(), entry.revision);
    },
  },
  {
    name: "update replaces the value and keeps the revision of creation",
    async run({ store, prefix }) {
      const first = await store.create(`${prefix}a`, bytes("1"));
      const second = await store.update(`${prefix}a`, bytes("2"), first.revision);
      assert.equal(second.revision, first.revision + 1);
      assert.equal(second.createRevision, first.createRevision);
      assert.equal(String(second.value), "2");
      assertEntry(await store.get(`${prefix}a`), second);
    },
  },
  {
    name: "update at another revision is a conflict that carries what is there",
    async run({ store, prefix }) {
      const first = await store.create(`${prefix}a`, bytes("1"));
      const second = await store.update(`${prefix}a`, bytes("2"), first.revision);
      for (const wrong of [first.revision, second.revision + 1, 0]) {
        const error = await assertRejects(store.update(`${prefix}a`, bytes("3"), wrong), "conflict");
        assertEntry(error.current, second);
      }
      assertEntry(await store.get(`${prefix}a`), second);
      assert.equal(await store.revision(), second.revision);
    },
  },
  {
    name: "delete at another revision is a conflict that carries what is there",
    async run({ store, prefix }) {
      const first = await store.create(`${prefix}a`, bytes("1"));
      const second = await store.update(`${prefix}a`, bytes("2"), first.revision);
      const error = await assertRejects(store.delete(`${prefix}a`, first.revision), "conflict");
      assertEntry(error.current, second);
      assertEntry(await store.get(`${prefix}a`), second);
    },
  },
  {
    name: "update and delete of an absent or deleted key are not found",
    async run({ store, prefix }) {
      await assertRejects(store.update(`${prefix}a`, bytes("1"), 1), "not-found");
      await assertRejects(store.delete(`${prefix}a`, 1), "not-found");
      const entry = await store.create(`${prefix}a`, bytes("1"));
      const gone = await store.delete(`${prefix}a`, entry.revision);
      await assertRejects(store.update(`${prefix}a`, bytes("2"), entry.revision), "not-found");
      await assertRejects(store.delete(`${prefix}a`, gone), "not-found");
    },
  },
  {
    name: "delete takes a revision of its own, and the key can be created anew",
    async run({ store, prefix }) {
      const entry = await store.create(`${prefix}a`, bytes("1"));
      const gone = await store.delete(`${prefix}a`, entry.revision);
      assert.equal(gone, entry.revision + 1);
      assert.equal(await store.get(`${prefix}a`), undefined);
      const again = await store.create(`${prefix}a`, bytes("2"));
      assert.equal(again.revision, gone + 1);
      assert.equal(again.createRevision, again.revision);
    },
  },
  {
    name: "concurrent writes to different keys each have a revision of their own, without gaps",
    async run({ store, prefix }) {
      const before = await store.revision();
      const keys = Array.from({ length: 200 }, (_, index) => `${prefix}${index}`);
      const entries = await Promise.all(keys.map((key) => store.create(key, bytes(key))));
      const revisions = entries.map((entry) => entry.revision).sort((a, b) => a - b);
      assert.deepEqual(
        revisions,
        keys.map((_, index) => before + 1 + index),
      );
    },
  },
  {
    name: "of concurrent updates from one revision exactly one wins",
    async run({ store, prefix }) {
      let { revision } = await store.create(`${prefix}a`, bytes("start"));
      for (let round = 0; round < 10; round++) {
        const attempts = Array.from({ length: 8 }, (_, index) => store.update(`${prefix}a`, bytes(index), revision));
        const outcomes = await Promise.allSettled(attempts);
        const won = outcomes.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : []));
        assert.equal(won.length, 1);
        assertEntry(await store.get(`${prefix}a`), won[0]);
        await Promise.all(attempts.map((attempt) => attempt.catch((error) => assert.equal(error.code, "conflict"))));
        revision = won[0]?.revision ?? 0;
      }
    },
  },
  {
    name: "of concurrent creates of one key exactly one wins",
    async run({ store, prefix }) {
      const attempts = Array.from({ length: 8 }, (_, index) => store.create(`${prefix}a`, bytes(index)));
      const outcomes = await Promise.allSettled(attempts);
      assert.equal(outcomes.filter((outcome) => outcome.status === "fulfilled").length, 1);
      for (const outcome of outcomes) if (outcome.status === "rejected") assert.equal(outcome.reason.code, "exists");
    },
  },
  {
    name: "a read after an acknowledged write sees it",
    async run({ store, prefix }) {
      let entry = await store.create(`${prefix}a`, bytes("0"));
      for (let round = 1; round <= 50; round++) {
        entry = await store.update(`${prefix}a`, bytes(round), entry.revision);
        assertEntry(await store.get(`${prefix}a`), entry);
        assertEntry((await store.range(prefix)).entries[0], entry);
        assert.equal(await store.revision(), entry.revision);
      }
    },
  },
  {
    name: "values are opaque bytes: empty, binary, of 1 MiB",
    async run({ store, prefix }) {
      const values = [
        Buffer.alloc(0),
        Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)),
        Buffer.alloc(1024 * 1024, "x"),
      ];
      for (const [index, value] of values.entries()) {
        const created = await store.create(`${prefix}${index}`, value);
        assert.ok(created.value.equals(value));
        assert.ok((await store.get(`${prefix}${index}`))?.value.equals(value));
        const updated = await store.update(
          `${prefix}${index}`,
          Buffer.concat([value, value.subarray(0, 9)]),
          created.revision,
        );
        assert.equal((await store.get(`${prefix}${index}`))?.value.length, updated.value.length);
      }
    },
  },
  {
    name: "a value that is too large is refused as such, or kept whole, and disturbs nothing else",
    async run({ store, prefix }) {
      const value = Buffer.alloc(16 * 1024 * 1024, "x");
      const [big] = await Promise.allSettled([
        store.create(`${prefix}big`, value),
        store.create(`${prefix}small`, bytes("1")),
      ]);
      if (big.status === "rejected") assert.equal(big.reason.code, "too-large");
      const stored = await store.get(`${prefix}big`);
      assert.equal(stored?.value.length, big.status === "fulfilled" ? value.length : undefined);
      assert.equal(String((await store.get(`${prefix}small`))?.value), "1");
    },
  },
  {
    name: "keys that are names of object members are keys like any other",
    async run({ store, prefix }) {
      for (const name of ["__proto__", "constructor", "toString", "hasOwnProperty"]) {
        assert.equal(await store.get(`${prefix}${name}`), undefined);
        const entry = await store.create(`${prefix}${name}`, bytes(name));
        assertEntry(await store.get(`${prefix}${name}`), entry);
      }
    },
  },
  {
    name: "a call whose signal has aborted is refused and a write does not happen",
    async run({ store, prefix }) {
      const signal = AbortSignal.abort();
      await assert.rejects(store.create(`${prefix}a`, bytes("1"), { signal }));
      await assert.rejects(store.get(`${prefix}a`, { signal }));
      await assert.rejects(store.range(prefix, { signal }));
      assert.equal(await store.get(`${prefix}a`), undefined);
    },
  },
];

function assertEntry(actual: StoreEntry | undefined, expected: StoreEntry | undefined): void {
  const plain = (entry: StoreEntry | undefined): unknown =>
    entry && { ...entry, value: entry.value.toString("latin1"), key: entry.key };
  assert.deepEqual(plain(actual), plain(expected));
}
