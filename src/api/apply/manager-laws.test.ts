import { describe, expect, it } from "vitest";
import { jsonEqual } from "../json-value.js";
import type { JsonObject } from "../object.js";
import { seeded } from "../random-objects.fixture.js";
import { apply, deployment, entriesOf, later, now } from "./apply.fixture.js";
import { equalFields } from "./fields-v1.js";
import { managersOf } from "./managed-object.js";

const who = { schema: deployment, apiVersion: "apps/v1" };

/** What one manager wants: of labels, containers, their ports and environment, each named after `mark`, so that no two managers share any. */
function wanted(next: (bound: number) => number, mark: string): JsonObject {
  const some = <T>(make: (index: number) => T): T[] => Array.from({ length: next(3) }, (_, index) => make(index));
  const fields = (prefix: string): JsonObject =>
    Object.fromEntries(some((index) => [`${mark}-${prefix}${index}`, String(next(3))]));
  const containers = some((index) => ({
    name: `${mark}${index}`,
    ...(next(2) === 0 ? {} : { image: `image:${next(3)}` }),
    env: some((at) => ({ name: `E${at}`, value: String(next(3)) })),
    ports: some((at) => ({ containerPort: 80 + at, ...(next(2) === 0 ? {} : { protocol: "UDP" }) })),
    args: some(() => String(next(3))),
  }));
  const parts: JsonObject = {
    metadata: { labels: fields("l"), annotations: fields("a"), finalizers: some((index) => `${mark}.io/f${index}`) },
    spec: { template: { spec: { containers } } },
  };
  return { apiVersion: "apps/v1", kind: "Deployment", ...parts };
}

/** Empty lists and maps are none: decoding drops them. */
function isEmpty(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}

/** An object without what only says how it came to be: the order of lists of keyed items, and who has what. */
function content(object: JsonObject): unknown {
  const ordered = (value: unknown): unknown => {
    if (Array.isArray(value)) {
      const items = value.map(ordered);
      const keyed =
        items.every((item) => typeof item === "object") || items.every((item) => String(item).includes("/"));
      return keyed ? items.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)) : items;
    }
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(
      Object.entries(value)
        .filter(([key]) => key !== "managedFields")
        .map(([key, child]) => [key, ordered(child)] as const)
        .filter(([, child]) => !isEmpty(child))
        .sort(([a], [b]) => (a < b ? -1 : 1)),
    );
  };
  return ordered(object);
}

describe("laws of several managers", () => {
  const rounds = 80;

  it("who share nothing may come in any order", () => {
    const seed = 4711;
    for (let round = 0; round < rounds; round++) {
      const next = seeded(seed + round);
      const one = wanted(next, "one");
      const two = wanted(next, "two");
      const first = apply(apply(undefined, one, { ...who, manager: "one" }), two, { ...who, manager: "two" });
      const second = apply(apply(undefined, two, { ...who, manager: "two" }), one, { ...who, manager: "one" });
      expect(content(first), `seed ${seed + round}`).toEqual(content(second));
      for (const [id, { fields }] of managersOf(first)) {
        expect(equalFields(fields, managersOf(second).get(id)?.fields ?? {}), `seed ${seed + round}`).toBe(true);
      }
    }
  });

  it("nobody is forgotten while he has anything, and nobody else's fields go with what one gives up", () => {
    const seed = 815;
    for (let round = 0; round < rounds; round++) {
      const next = seeded(seed + round);
      const names = ["one", "two", "three"];
      const last = new Map<string, JsonObject>();
      let live: JsonObject | undefined;
      for (let step = 0; step < 8; step++) {
        const manager = names[next(names.length)] ?? "";
        const config = wanted(next, manager);
        live = apply(live, config, { ...who, manager, now: step % 2 === 0 ? later : now });
        last.set(manager, config);
        // What all want last is what there is: nothing more, nothing less.
        let alone: JsonObject | undefined;
        for (const [other, theirs] of last) alone = apply(alone, theirs, { ...who, manager: other });
        expect(content(live), `seed ${seed + round} step ${step}`).toEqual(content(alone ?? {}));
        const known = entriesOf(live).map((entry) => entry.manager);
        const owning = entriesOf(alone ?? {}).map((entry) => entry.manager);
        expect(known.sort(), `seed ${seed + round} step ${step}`).toEqual(owning.sort());
      }
    }
  });

  it("to apply and to give up again changes nothing for the others", () => {
    const seed = 99;
    for (let round = 0; round < rounds; round++) {
      const next = seeded(seed + round);
      const base = apply(undefined, { ...wanted(next, "one"), spec: { replicas: 3 } }, { ...who, manager: "one" });
      const guest = apply(base, wanted(next, "two"), { ...who, manager: "two" });
      const left = apply(guest, { apiVersion: "apps/v1", kind: "Deployment" }, { ...who, manager: "two" });
      expect(jsonEqual(content(left), content(base)), `seed ${seed + round}: ${JSON.stringify(left)}`).toBe(true);
    }
  });
});
