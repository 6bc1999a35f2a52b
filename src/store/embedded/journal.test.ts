import { describe, expect, test } from "vitest";
import { Journal } from "./journal.js";
import type { Segment } from "./segment.js";

/** A file that fails when told to, and counts its syncs. */
function fakeSegment(fail: (appends: number) => boolean): { segment: Segment; text(): string; appends(): number } {
  let [content, appends] = [Buffer.alloc(0), 0];
  const fake = {
    size: 0,
    suspect: false,
    async append(bytes: Buffer) {
      await undefined;
      if (fail(++appends)) throw new Error("no space left");
      content = Buffer.concat([content.subarray(0, fake.size), bytes]);
      fake.size = content.length;
    },
    async trim() {
      content = content.subarray(0, fake.size);
    },
  };
  return { segment: fake as unknown as Segment, text: () => String(content), appends: () => appends };
}

function write(journal: Journal, text: string, outcomes: string[]): void {
  journal.append({
    head: Buffer.from(text),
    value: Buffer.alloc(0),
    applied: (_segment, offset) => outcomes.push(`${text} at ${offset}`),
    failed: () => outcomes.push(`${text} failed`),
  });
}

function newJournal(active: Segment): Journal {
  const preamble = (): Buffer => Buffer.alloc(0);
  return new Journal({ folder: "/nowhere", active, segmentBytes: 1e9, preamble, onRolled: () => {} });
}

describe("Journal", () => {
  test("shares one sync among what is written in one tick, in order", async () => {
    const { segment, text, appends } = fakeSegment(() => false);
    const journal = newJournal(segment);
    const outcomes: string[] = [];
    for (const name of ["aa", "b", "ccc"]) write(journal, name, outcomes);
    await journal.flushed();
    expect(outcomes).toEqual(["aa at 0", "b at 2", "ccc at 3"]);
    expect([text(), appends()]).toEqual(["aabccc", 1]);
  });

  test("fails what waits together with the batch that failed, and goes on afterwards", async () => {
    const { segment, text } = fakeSegment((appends) => appends === 2);
    const journal = newJournal(segment);
    const outcomes: string[] = [];
    write(journal, "a", outcomes);
    await journal.flushed();
    write(journal, "b", outcomes);
    await Promise.resolve();
    write(journal, "c", outcomes);
    await journal.flushed();
    write(journal, "d", outcomes);
    await journal.flushed();
    expect(outcomes).toEqual(["a at 0", "b failed", "c failed", "d at 1"]);
    expect(text()).toBe("ad");
  });

  test("writes nothing more after a failed sync", async () => {
    const { segment } = fakeSegment((appends) => appends === 1);
    segment.suspect = true;
    const journal = newJournal(segment);
    const outcomes: string[] = [];
    write(journal, "a", outcomes);
    await journal.flushed();
    write(journal, "b", outcomes);
    expect(outcomes).toEqual(["a failed", "b failed"]);
  });
});
