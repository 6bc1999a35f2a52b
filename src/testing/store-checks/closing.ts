import { assertRejects, assertWatchFails, background, bytes, type StoreCheck } from "./check.js";

export const closingChecks: readonly StoreCheck[] = [
  {
    name: "a disposed store refuses every call as closed, and may be disposed again",
    async run({ store, prefix }) {
      const entry = await store.create(`${prefix}a`, bytes("1"));
      const lease = await store.grantLease(60);
      await store[Symbol.asyncDispose]();
      await store[Symbol.asyncDispose]();
      await assertRejects(store.create(`${prefix}b`, bytes("1")), "closed");
      await assertRejects(store.update(`${prefix}a`, bytes("2"), entry.revision), "closed");
      await assertRejects(store.delete(`${prefix}a`, entry.revision), "closed");
      await assertRejects(store.get(`${prefix}a`), "closed");
      await assertRejects(store.range(prefix), "closed");
      await assertRejects(store.revision(), "closed");
      await assertRejects(store.compact(entry.revision), "closed");
      await assertRejects(store.grantLease(60), "closed");
      await assertRejects(lease.keepAlive(), "closed");
      await assertWatchFails(store.watch(prefix, { afterRevision: entry.revision }), "closed");
    },
  },
  {
    name: "disposing ends the watches that wait, as closed",
    async run({ store, prefix }) {
      const afterRevision = await store.revision();
      const watches = [prefix, `${prefix}a/`, "/"].map((part) =>
        background(assertWatchFails(store.watch(part, { afterRevision }), "closed")),
      );
      await store.revision();
      await store[Symbol.asyncDispose]();
      await Promise.all(watches);
    },
  },
];
