import assert from "node:assert/strict";
import { type Store, StoreError, type StoreErrorCode, type StoreEvent, type WatchBatch } from "../../store/index.js";

/** A store to try the contract on. */
export interface StoreSubject {
  readonly store: Store;
  /** Keys of the check go under this prefix, which nothing else writes to. Default: "/registry/". */
  readonly prefix?: string;
  /** Lets so much of the store's time pass. Default: waits. */
  readonly advance?: (durationMs: number) => Promise<void>;
  /** Runs after the store has been disposed. */
  readonly cleanup?: () => Promise<void>;
}

/** What a check works with. */
export interface StoreCheckContext {
  readonly store: Store;
  readonly prefix: string;
  advance(durationMs: number): Promise<void>;
}

/** One promise of the contract: `run` rejects when the store breaks it. */
export interface StoreCheck {
  readonly name: string;
  run(context: StoreCheckContext): Promise<void>;
}

export function bytes(text: string | number): Buffer {
  return Buffer.from(String(text));
}

/** Work to be awaited later: should the check fail before, its rejection is nobody's. */
export function background<T>(work: Promise<T>): Promise<T> {
  work.catch(() => {});
  return work;
}

export async function assertRejects(work: Promise<unknown>, code: StoreErrorCode): Promise<StoreError> {
  const outcome = await work.then(
    () => undefined,
    (error: unknown) => ({ error }),
  );
  assert.ok(outcome !== undefined, `must be refused with ${code}`);
  assert.ok(outcome.error instanceof StoreError, `must be a StoreError: ${outcome.error}`);
  assert.equal(outcome.error.code, code);
  return outcome.error;
}

export async function assertWatchFails(watch: AsyncIterable<WatchBatch>, code: StoreErrorCode): Promise<void> {
  const failed = (async () => {
    for await (const batch of watch) assert.equal(batch.events.length, 0, "must deliver nothing before the error");
  })();
  await assertRejects(failed, code);
}

export function eventRevision(event: StoreEvent): number {
  return event.type === "put" ? event.entry.revision : event.revision;
}

export function eventKey(event: StoreEvent): string {
  return event.type === "put" ? event.entry.key : event.key;
}

/** An event as one line: "put /a=1@5 was 0@4", for comparing whole histories. */
export function describeEvent(event: StoreEvent): string {
  const { previous } = event;
  const was = previous === undefined ? "" : ` was ${previous.value}@${previous.revision}`;
  const value = event.type === "put" ? `=${event.entry.value}` : "";
  return `${event.type} ${eventKey(event)}${value}@${eventRevision(event)}${was}`;
}

/** The events of a watch until it has reached `untilRevision`; checks each batch on the way. */
export async function collect(
  context: StoreCheckContext,
  options: { readonly afterRevision: number; readonly untilRevision: number; readonly prefix?: string },
): Promise<StoreEvent[]> {
  const { afterRevision, untilRevision, prefix = context.prefix } = options;
  const events: StoreEvent[] = [];
  if (afterRevision >= untilRevision) return events;
  let reached = afterRevision;
  for await (const batch of context.store.watch(prefix, { afterRevision })) {
    for (const event of batch.events) {
      const revision = eventRevision(event);
      assert.ok(revision > reached, `revision ${revision} comes after the batch that reached ${reached}`);
      assert.ok(revision <= batch.revision, `revision ${revision} is in the batch that reaches only ${batch.revision}`);
    }
    assert.ok(batch.revision >= reached, `a batch goes back from ${reached} to ${batch.revision}`);
    reached = batch.revision;
    events.push(...batch.events);
    if (reached >= untilRevision) return events;
  }
  return assert.fail("the watch ended by itself");
}
