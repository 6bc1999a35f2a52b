import assert from "node:assert/strict";
import type { StoreEvent } from "../../store/index.js";
import { assertRejects, bytes, collect, describeEvent, type StoreCheck, type StoreCheckContext } from "./check.js";

export const leaseChecks: readonly StoreCheck[] = [
  {
    name: "the keys of a lease that runs out are deleted, as watched deletions with revisions of their own",
    async run(context) {
      const { store, prefix } = context;
      const lease = await store.grantLease(2);
      assert.ok(lease.ttlSeconds >= 2);
      const first = await store.create(`${prefix}a`, bytes("1"), { lease: lease.id });
      const second = await store.create(`${prefix}b`, bytes("2"), { lease: lease.id });
      const kept = await store.create(`${prefix}c`, bytes("3"));
      await context.advance(lease.ttlSeconds * 1000 + 1);
      const events = await nextEvents(context, kept.revision, 2);
      assert.deepEqual(
        events.map((event) => event.type),
        ["delete", "delete"],
      );
      assert.deepEqual(events.map((event) => `${event.previous?.key}@${event.previous?.revision}`).sort(), [
        `${prefix}a@${first.revision}`,
        `${prefix}b@${second.revision}`,
      ]);
      assert.deepEqual(
        (await store.range(prefix)).entries.map((entry) => entry.key),
        [`${prefix}c`],
      );
      await assertRejects(lease.keepAlive(), "no-lease");
      await assertRejects(store.create(`${prefix}d`, bytes("4"), { lease: lease.id }), "no-lease");
    },
  },
  {
    name: "keepAlive starts the time again",
    async run(context) {
      const { store, prefix } = context;
      const lease = await store.grantLease(4);
      const entry = await store.create(`${prefix}a`, bytes("1"), { lease: lease.id });
      for (let round = 0; round < 2; round++) {
        await context.advance(2500);
        await lease.keepAlive();
      }
      assert.equal((await store.get(`${prefix}a`))?.revision, entry.revision);
      await lease.revoke();
    },
  },
  {
    name: "revoke deletes the keys at once and the lease with them",
    async run(context) {
      const { store, prefix } = context;
      const lease = await store.grantLease(60);
      const entry = await store.create(`${prefix}a`, bytes("1"), { lease: lease.id });
      await lease.revoke();
      assert.equal(await store.get(`${prefix}a`), undefined);
      const until = await store.revision();
      const events = await collect(context, { afterRevision: entry.revision, untilRevision: until });
      assert.deepEqual(events.map(describeEvent), [`delete ${prefix}a@${until} was 1@${entry.revision}`]);
      await assertRejects(lease.keepAlive(), "no-lease");
      await assertRejects(lease.revoke(), "no-lease");
    },
  },
  {
    name: "an update moves a key to the lease it names, or to none",
    async run({ store, prefix }) {
      const first = await store.grantLease(60);
      const second = await store.grantLease(60);
      const create = (name: string) => store.create(`${prefix}${name}`, bytes("1"), { lease: first.id });
      const [kept, detached, moved] = [await create("kept"), await create("detached"), await create("moved")];
      await store.update(kept.key, bytes("2"), kept.revision, { lease: first.id });
      await store.update(detached.key, bytes("2"), detached.revision);
      await store.update(moved.key, bytes("2"), moved.revision, { lease: second.id });
      const names = async (): Promise<string[]> =>
        (await store.range(prefix)).entries.map((entry) => entry.key.slice(prefix.length));
      await first.revoke();
      assert.deepEqual(await names(), ["detached", "moved"]);
      await second.revoke();
      assert.deepEqual(await names(), ["detached"]);
    },
  },
  {
    name: "a key deleted and created again does not belong to its old lease",
    async run({ store, prefix }) {
      const lease = await store.grantLease(60);
      const entry = await store.create(`${prefix}a`, bytes("1"), { lease: lease.id });
      await store.delete(`${prefix}a`, entry.revision);
      const again = await store.create(`${prefix}a`, bytes("2"));
      await lease.revoke();
      assert.equal((await store.get(`${prefix}a`))?.revision, again.revision);
    },
  },
  {
    name: "a write under an unknown lease is refused and does not happen",
    async run({ store, prefix }) {
      const lease = await store.grantLease(60);
      await lease.revoke();
      await assertRejects(store.create(`${prefix}a`, bytes("1"), { lease: lease.id }), "no-lease");
      const entry = await store.create(`${prefix}b`, bytes("1"));
      await assertRejects(store.update(`${prefix}b`, bytes("2"), entry.revision, { lease: lease.id }), "no-lease");
      assert.equal(await store.get(`${prefix}a`), undefined);
      assert.equal((await store.get(`${prefix}b`))?.revision, entry.revision);
    },
  },
];

async function nextEvents(context: StoreCheckContext, afterRevision: number, count: number): Promise<StoreEvent[]> {
  const events: StoreEvent[] = [];
  for await (const batch of context.store.watch(context.prefix, { afterRevision })) {
    events.push(...batch.events);
    if (events.length >= count) break;
  }
  return events;
}
