import { beforeAll, expect, test } from "vitest";
import type { JsonObject } from "../../src/api/index.js";
import { define, definition, pathOf, version } from "./support/definitions.js";
import { metadataOf } from "./support/manifests.js";
import { type Choices, forSeeds } from "./support/random.js";
import { Api, describeApi, failure, useControlPlane } from "./support/subject.js";

const controlPlane = useControlPlane();
const text = { type: "string" };
const texts = { type: "object", additionalProperties: text };
const path = pathOf("laws");

beforeAll(async () => {
  const properties = {
    scalar: text,
    map: texts,
    whole: { ...texts, "x-kubernetes-map-type": "atomic" },
    set: { type: "array", items: text, "x-kubernetes-list-type": "set" },
    row: { type: "array", items: text, "x-kubernetes-list-type": "atomic" },
    list: {
      type: "array",
      items: { type: "object", required: ["name"], properties: { name: text, value: text } },
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["name"],
    },
  };
  const versions = [version("v1", properties, { storage: true, subresources: { status: {} } })];
  await define(new Api(() => controlPlane.inProcess), definition("laws", "Law", versions));
});

/**
 * What there is, by leaves: `scalar`, `map.a`, `whole`, `set.x`, `row`, `list.n` for an item, `list.n.value` for a field of one.
 * Values are text; those that are atomic are JSON.
 */
type Leaves = ReadonlyMap<string, string>;

interface Spec {
  scalar?: string;
  map?: Record<string, string>;
  whole?: Record<string, string>;
  set?: string[];
  row?: string[];
  list?: { name: string; value?: string }[];
}

function leavesOf(spec: Spec): Map<string, string> {
  const leaves = new Map<string, string>();
  if (spec.scalar !== undefined) leaves.set("scalar", spec.scalar);
  for (const [key, value] of Object.entries(spec.map ?? {})) leaves.set(`map.${key}`, value);
  if (Object.keys(spec.whole ?? {}).length > 0) leaves.set("whole", JSON.stringify(spec.whole));
  for (const value of spec.set ?? []) leaves.set(`set.${value}`, "");
  if ((spec.row ?? []).length > 0) leaves.set("row", JSON.stringify(spec.row));
  for (const { name, value } of spec.list ?? []) {
    leaves.set(`list.${name}`, "");
    if (value !== undefined) leaves.set(`list.${name}.value`, value);
  }
  return leaves;
}

/** The leaves that an entry of managedFields names. */
function ownedOf(entry: JsonObject): string[] {
  const fields = ((entry["fieldsV1"] as JsonObject)["f:spec"] ?? {}) as Record<string, Record<string, object>>;
  const owned: string[] = [];
  for (const [field, below] of Object.entries(fields)) {
    const name = field.slice(2);
    if (name === "scalar" || name === "whole" || name === "row") owned.push(name);
    else if (name === "map") owned.push(...keys(below, "f:").map((key) => `map.${key}`));
    else if (name === "set") owned.push(...keys(below, "v:").map((value) => `set.${JSON.parse(value) as string}`));
    else if (name === "list") {
      for (const key of keys(below, "k:")) {
        const item = `list.${(JSON.parse(key) as { name: string }).name}`;
        const inside = below[`k:${key}`] as object;
        if ("." in inside) owned.push(item);
        if ("f:value" in inside) owned.push(`${item}.value`);
      }
    }
  }
  return owned.sort();
}

function keys(fields: object, kind: string): string[] {
  return Object.keys(fields)
    .filter((key) => key.startsWith(kind))
    .map((key) => key.slice(2));
}

/** What server-side apply should do, said as plainly as can be: who has which leaf, and what is there. */
class Model {
  readonly values = new Map<string, string>();
  readonly owners = new Map<string, Set<string>>();

  othersWith(manager: string, leaf: string): string[] {
    return [...this.owners].filter(([name, leaves]) => name !== manager && leaves.has(leaf)).map(([name]) => name);
  }

  /** How many leaves of how many managers stand against it. */
  conflicts(manager: string, wanted: Leaves): number {
    let count = 0;
    for (const [leaf, value] of wanted) {
      if (this.values.has(leaf) && this.values.get(leaf) !== value) count += this.othersWith(manager, leaf).length;
    }
    return count;
  }

  apply(manager: string, wanted: Leaves): void {
    const before = this.owners.get(manager) ?? new Set();
    for (const [leaf, value] of wanted) {
      if (this.values.get(leaf) !== value)
        for (const other of this.othersWith(manager, leaf)) this.owners.get(other)?.delete(leaf);
      this.values.set(leaf, value);
    }
    this.owners.set(manager, new Set(wanted.keys()));
    for (const leaf of before) {
      if (wanted.has(leaf) || this.othersWith(manager, leaf).length > 0) continue;
      // An item goes with all that others have put into it.
      for (const each of [...this.values.keys()]) {
        if (each !== leaf && !each.startsWith(`${leaf}.`)) continue;
        this.values.delete(each);
        for (const leaves of this.owners.values()) leaves.delete(each);
      }
    }
  }

  update(manager: string, now: Leaves): void {
    const mine = this.owners.get(manager) ?? new Set();
    this.owners.set(manager, mine);
    for (const leaf of [...this.values.keys()]) {
      if (now.has(leaf)) continue;
      this.values.delete(leaf);
      for (const leaves of this.owners.values()) leaves.delete(leaf);
    }
    for (const [leaf, value] of now) {
      if (this.values.get(leaf) === value) continue;
      this.values.set(leaf, value);
      for (const leaves of this.owners.values()) leaves.delete(leaf);
      mine.add(leaf);
    }
  }
}

function randomSpec(choices: Choices): Spec {
  const values = ["0", "1", "2"];
  const some = (names: readonly string[]): Record<string, string> =>
    Object.fromEntries(choices.some(names).map((name) => [name, choices.of(values)]));
  const list = choices
    .some(["n", "m", "o"])
    .map((name) => (choices.chance(4) ? { name } : { name, value: choices.of(values) }));
  const whole: Spec = {
    map: some(["a", "b", "c"]),
    set: choices.some(["x", "y", "z"]),
    list,
    ...(choices.chance(2) ? { scalar: choices.of(values) } : {}),
    ...(choices.chance(3) ? { whole: some(["p", "q"]) } : {}),
    ...(choices.chance(3) ? { row: choices.some(["r", "s"]) } : {}),
  };
  return Object.fromEntries(Object.entries(whole).filter(([, value]) => Object.keys(value as object).length > 0));
}

describeApi("laws of apply", controlPlane, (api) => {
  const managers = ["one", "two", "three"];
  const law = (spec: Spec): object => ({
    apiVersion: "laws.example.com/v1",
    kind: "Law",
    metadata: { name: "a" },
    ...(Object.keys(spec).length === 0 ? {} : { spec }),
  });

  /** Somebody owns something of it, for updates of what nobody owns are not written down. */
  const make = (namespace: string): Promise<JsonObject> =>
    api.call("create", path, { namespace, body: { ...law({}), metadata: { name: "a", labels: { made: "by" } } } });

  test("of several managers, forced and not, with updates between", async () => {
    const namespace = await api.namespace();
    const at = { namespace, name: "a" };
    await forSeeds(20_260, 20, async (choices) => {
      const model = new Model();
      await make(namespace);
      for (let step = 0; step < 10; step++) {
        const where = `step ${step}`;
        const manager = choices.of(managers);
        const spec = choices.chance(6) ? {} : randomSpec(choices);
        const live = await api.call("get", path, at);
        if (choices.chance(4)) {
          await api.call("update", path, { ...at, body: { ...live, spec }, options: { fieldManager: "updater" } });
          model.update("updater", leavesOf(spec));
        } else {
          const force = choices.chance(2);
          const apply = (): Promise<JsonObject> =>
            api.call("patch", path, {
              ...at,
              patchType: "apply",
              body: law(spec),
              options: { fieldManager: manager, ...(force ? { force } : {}) },
            });
          const conflicts = model.conflicts(manager, leavesOf(spec));
          if (conflicts > 0 && !force) {
            const status = await failure(apply());
            expect(status, where).toMatchObject({ code: 409, reason: "Conflict" });
            expect(status.details?.causes, where).toHaveLength(conflicts);
            expect(await api.call("get", path, at), where).toEqual(live);
          } else {
            const once = await apply();
            model.apply(manager, leavesOf(spec));
            // The same again is no write.
            expect(await apply(), where).toEqual(once);
          }
        }
        const now = await api.call("get", path, at);
        const sorted = (leaves: Leaves): unknown => [...leaves].sort();
        expect(sorted(leavesOf((now["spec"] ?? {}) as Spec)), where).toEqual(sorted(model.values));
        const entries = (metadataOf(now)["managedFields"] ?? []) as JsonObject[];
        for (const name of [...managers, "updater"]) {
          const owned = entries.filter((entry) => entry["manager"] === name).flatMap(ownedOf);
          expect(owned, `${where} ${name}`).toEqual([...(model.owners.get(name) ?? [])].sort());
        }
      }
      await api.call("delete", path, at);
    });
  });

  test("of status: its managers and those of the object do not meet", async () => {
    const namespace = await api.namespace();
    const at = { namespace, name: "a" };
    await forSeeds(815, 10, async (choices) => {
      await make(namespace);
      for (let step = 0; step < 6; step++) {
        const before = await api.call("get", path, at);
        const toStatus = choices.chance(2);
        const body = {
          ...law(randomSpec(choices)),
          status: { replicas: choices.below(5), selector: choices.of(["x", "y"]) },
        };
        const subresource = toStatus ? { subresource: "status" } : {};
        const options = { fieldManager: choices.of(managers), force: true };
        const after = await api.call("patch", path, { ...at, ...subresource, patchType: "apply", body, options });
        if (toStatus) {
          expect(after["status"]).toEqual(body.status);
          expect(after["spec"]).toEqual(before["spec"]);
          expect(metadataOf(after)["generation"]).toBe(metadataOf(before)["generation"]);
        } else expect(after["status"]).toEqual(before["status"]);
        for (const entry of metadataOf(after)["managedFields"] as JsonObject[]) {
          const fields = Object.keys(entry["fieldsV1"] as object);
          expect(fields).not.toContain(entry["subresource"] === "status" ? "f:spec" : "f:status");
        }
      }
      await api.call("delete", path, at);
    });
  });
});
