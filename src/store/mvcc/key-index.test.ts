import { describe, expect, test } from "vitest";
import { randomInt, seededRandom } from "../../internal/random.js";
import { KeyIndex, type Version } from "./key-index.js";

const version = (key: string, revision: number, createRevision = revision): Version => ({
  key,
  revision,
  createRevision,
});

describe("KeyIndex", () => {
  test("keeps order and versions as a plain model does, over many random writes and compactions", () => {
    const seed = Date.now() % 1_000_000;
    console.log(`KeyIndex model test: seed ${seed}`);
    const random = seededRandom(seed);
    const index = new KeyIndex<Version>();
    const writes: Version[] = [];
    let compacted = 0;
    for (let revision = 1; revision <= 5000; revision++) {
      const key = `/k${randomInt(random, 900)}${["", "/", "\u{1f600}", "\uff5e"][randomInt(random, 4)]}`;
      const written = version(key, revision, randomInt(random, 3) > 0 ? revision : 0);
      index.add(written);
      writes.push(written);
      if (revision % 500 !== 0) continue;
      for (const asked of [revision, revision - randomInt(random, revision - compacted)]) {
        const found = index.scan("/k1", { revision: asked, limit: 0 });
        expect(found.versions).toEqual(modelAt(writes, asked, "/k1"));
        expect(found.count).toBe(found.versions.length);
      }
      compacted += randomInt(random, revision - compacted);
      for (const { key, revision: at } of writes) if (at <= compacted) index.compact(key, compacted);
      expect(index.scan("/", { revision: compacted, limit: 0 }).versions).toEqual(modelAt(writes, compacted, "/"));
    }
    for (const { key } of writes) index.compact(key, 5000);
    expect(index.size).toBe(modelAt(writes, 5000, "").length);
  });

  test("forgets each version exactly once", () => {
    const index = new KeyIndex<Version>();
    const written = [version("/a", 1), version("/a", 2, 1), version("/a", 3, 0), version("/a", 4), version("/a", 5, 0)];
    for (const each of written) index.add(each);
    const forgotten: number[] = [];
    for (const revision of [1, 2, 3, 4, 5]) index.compact("/a", revision, (gone) => forgotten.push(gone.revision));
    expect(forgotten).toEqual([1, 2, 3, 4, 5]);
    expect(index.size).toBe(0);
  });
});

function modelAt(writes: readonly Version[], revision: number, prefix: string): Version[] {
  const state = new Map<string, Version>();
  for (const write of writes) if (write.revision <= revision) state.set(write.key, write);
  return [...state.values()]
    .filter(({ key, createRevision }) => createRevision > 0 && key.startsWith(prefix))
    .sort((a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)));
}
