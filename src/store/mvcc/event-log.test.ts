import { expect, test } from "vitest";
import { EventLog } from "./event-log.js";

test("an EventLog finds by revision what is behind it, also after dropping", () => {
  const log = new EventLog<{ revision: number }>();
  for (let revision = 1; revision <= 100; revision++) {
    log.push({ revision: revision * 2 });
    if (revision % 3 === 0) {
      const dropped: number[] = [];
      log.dropThrough(revision, (item) => dropped.push(item.revision));
      expect(dropped.every((each) => each <= revision)).toBe(true);
      expect(log.oldest?.revision).toBeGreaterThan(revision);
      expect(log.item(log.offsetAfter(revision * 2 - 1))?.revision).toBe(revision * 2);
      expect(log.item(log.offsetAfter(revision * 2))).toBeUndefined();
    }
  }
  expect(log.size).toBe(100 - Math.floor(99 / 2));
});
