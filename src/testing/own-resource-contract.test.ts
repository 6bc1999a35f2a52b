import { describe, expect, test } from "vitest";
import { defineResource, type KubeObject, statusErrors } from "../api/index.js";
import { ownResource, type ResourceStorage, type StorageEvent } from "../apiserver/index.js";
import { AsyncQueue } from "../internal/async-queue.js";
import { type OwnResourceSubject, ownResourceChecks, runOwnResourceCheck } from "./own-resource-checks.js";
import { describeOwnResource } from "./own-resource-contract.js";

const notes = defineResource({
  group: "notes.example.com",
  version: "v1",
  kind: "Note",
  schema: { type: "object", properties: { text: { type: "string" } } },
});

type Storage = ResourceStorage;

/** A sound storage in memory. */
function soundStorage(): Storage {
  const kept = new Map<string, KubeObject>();
  const watchers = new Set<AsyncQueue<StorageEvent>>();
  const history: { readonly version: number; readonly event: StorageEvent }[] = [];
  let version = 0;
  const keyOf = ({ namespace, name }: { namespace?: string | undefined; name?: string }): string =>
    `${namespace}/${name}`;
  const keep = (type: "ADDED" | "MODIFIED" | "DELETED", given: KubeObject): KubeObject => {
    const object = { ...given, metadata: { ...given.metadata, resourceVersion: String(++version) } };
    if (type === "DELETED") kept.delete(keyOf(given.metadata));
    else kept.set(keyOf(given.metadata), object);
    const event = { type, object };
    history.push({ version, event });
    for (const watcher of watchers) watcher.push(event);
    return object;
  };
  return {
    get: (key) => kept.get(keyOf(key)),
    list: ({ namespace }) => ({
      items: [...kept.values()].filter(({ metadata }) => !namespace || metadata.namespace === namespace),
      metadata: { resourceVersion: String(version) },
    }),
    create(object) {
      if (kept.has(keyOf(object.metadata))) throw statusErrors.alreadyExists(notes, object.metadata.name ?? "");
      return keep("ADDED", object);
    },
    update: (object) => keep("MODIFIED", object),
    delete: (object) => void keep("DELETED", object),
    watch({ resourceVersion }, { signal }) {
      const watcher: AsyncQueue<StorageEvent> = new AsyncQueue<StorageEvent>(1000, () => watchers.delete(watcher));
      for (const { version: at, event } of history) {
        if (resourceVersion !== undefined && at > Number(resourceVersion)) watcher.push(event);
      }
      watchers.add(watcher);
      signal?.addEventListener("abort", () => watcher.end(), { once: true });
      return watcher;
    },
  };
}

function subject(storage: Storage): OwnResourceSubject {
  return {
    own: ownResource(notes as never, storage),
    make: (metadata) => ({ apiVersion: "notes.example.com/v1", kind: "Note", metadata, text: "hello" }),
  };
}

describeOwnResource({ name: "A storage in memory", setup: () => subject(soundStorage()) });

describe("the contract of a resource with a storage of its own", () => {
  const broken: readonly (readonly [string, () => Storage, string])[] = [
    [
      "forgets what it is given",
      () => ({ ...soundStorage(), create: (object) => object }),
      "what is created is got and listed as it is kept",
    ],
    [
      "lets a name be taken twice",
      () => {
        const storage = soundStorage();
        return { ...storage, create: (object, request) => storage.update?.(object, object, request) ?? object };
      },
      "a name is given once",
    ],
    [
      "mixes namespaces",
      () => {
        const storage = soundStorage();
        const get: Storage["get"] = async ({ name }, request) =>
          (await storage.get?.({ name, namespace: "contract-a" }, request)) ??
          storage.get?.({ name, namespace: "contract-b" }, request);
        return { ...storage, get };
      },
      "namespaces are apart",
    ],
    [
      "loses changes",
      () => ({ ...soundStorage(), update: (object) => object }),
      "a change is kept, and what was handed out before stays as it was",
    ],
    [
      "keeps what is deleted",
      () => ({ ...soundStorage(), delete: () => {} }),
      "what is deleted is gone, and its name is free",
    ],
    [
      "watches from now on only",
      () => {
        const storage = soundStorage();
        const watch: Storage["watch"] = (scope, request) =>
          storage.watch?.({ ...scope, resourceVersion: undefined }, request) ?? new AsyncQueue<StorageEvent>(1);
        const list: Storage["list"] = async (scope, request) => {
          const all = (await storage.list?.(scope, request)) ?? [];
          return "items" in all ? { ...all, metadata: { resourceVersion: "1" } } : all;
        };
        // It gives a version that it does not go on from: the watch waits for ever, and is ended here.
        return { ...storage, list, watch: (scope, request) => endingAfter(watch(scope, request)) };
      },
      "a watch goes on from the list that a client has",
    ],
  ];

  test.each(broken)("is not kept by one that %s", async (_, storage, title) => {
    const check = ownResourceChecks.find(({ name }) => name === title);
    if (check === undefined) throw new Error("the check is not there");
    await expect(runOwnResourceCheck(check, () => subject(storage()))).rejects.toThrow();
  });

  test("has fewer checks for fewer verbs", async () => {
    const check = ownResourceChecks.find(({ name }) => name === "a name is given once");
    if (check === undefined) throw new Error("the check is not there");
    expect(await runOwnResourceCheck(check, () => subject({ list: () => [] }))).toBe("it has no create");
  });
});

/** Ends soon after nothing more comes. */
async function* endingAfter<T>(source: AsyncIterable<T>): AsyncGenerator<T> {
  const iterator = source[Symbol.asyncIterator]();
  for (;;) {
    const idle = (async () => {
      for (let turn = 0; turn < 200; turn++) await new Promise((resolve) => setImmediate(resolve));
      return undefined;
    })();
    const next = await Promise.race([iterator.next(), idle]);
    if (next === undefined || next.done === true) return;
    yield next.value;
  }
}
