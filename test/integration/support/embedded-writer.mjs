// Writes to an embedded store with many writes in flight until it is killed, telling of each acknowledged write.
// Usage: node embedded-writer.mjs <module> <folder> <seed> <segmentBytes>
import { writeSync } from "node:fs";

const [modulePath, folder, seedText, segmentBytes] = process.argv.slice(2);
const { EmbeddedStore } = await import(modulePath);

let state = Number(seedText) >>> 0;
function random(bound) {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 2 ** 32) * bound);
}

const store = await EmbeddedStore.open(folder, { historyLimit: 2000, segmentBytes: Number(segmentBytes) });
const known = new Map((await store.range("/crash/")).entries.map((entry) => [entry.key, entry.revision]));
const tell = (line) => writeSync(1, `${line}\n`);
tell("ready");

async function write(writer) {
  for (let round = 0; ; round++) {
    const key = `/crash/${writer}/${random(20)}`;
    const value = Buffer.alloc(random(3000), `${writer}:${round}:`);
    const current = known.get(key);
    if (current === undefined) {
      const { revision } = await store.create(key, value);
      known.set(key, revision);
      tell(`put ${revision} ${key} ${value.length}`);
    } else if (random(4) > 0) {
      const { revision } = await store.update(key, value, current);
      known.set(key, revision);
      tell(`put ${revision} ${key} ${value.length}`);
    } else {
      const revision = await store.delete(key, current);
      known.delete(key);
      tell(`delete ${revision} ${key}`);
    }
  }
}

await Promise.all(Array.from({ length: 64 }, (_, writer) => write(writer)));
