import assert from "node:assert/strict";
import {
  builtinDescriptions,
  isStatusError,
  type KubeObject,
  type New,
  type ResourceType,
  type StatusReason,
  type Verb,
} from "../api/index.js";
import { ApiServer, type OwnResource } from "../apiserver/index.js";
import { type Client, createClient } from "../client/index.js";
import { MemoryStore } from "../store/index.js";

/** A resource with a storage of its own, to try the contract on. */
export interface OwnResourceSubject {
  readonly own: OwnResource;
  /** A valid object of that name, without what the server fills in. Absent namespace: the resource is in none. */
  readonly make: (key: { readonly name: string; readonly namespace?: string }) => object;
  readonly dispose?: () => Promise<void>;
}

/** What a check works with. */
export interface OwnResourceContext {
  readonly client: Client;
  readonly resource: ResourceType;
  /** Two namespaces; both undefined where the resource is in none. */
  readonly namespaces: readonly [string | undefined, string | undefined];
  readonly make: (name: string, namespace?: string) => New<KubeObject>;
  readonly has: (verb: Verb) => boolean;
}

/** One promise of the contract: `run` rejects when the storage breaks it. */
export interface OwnResourceCheck {
  readonly name: string;
  /** The verbs that it is about; without them it does not apply. */
  readonly verbs: readonly Verb[];
  run(context: OwnResourceContext): Promise<void>;
}

/** Runs one check on a subject of its own; rejects when the promise is broken. Resolves with a reason where it does not apply. */
export async function runOwnResourceCheck(
  check: OwnResourceCheck,
  setup: () => OwnResourceSubject | Promise<OwnResourceSubject>,
): Promise<string | undefined> {
  const { own, make, dispose } = await setup();
  await using store = new MemoryStore();
  // Without a description of its own it is one of the built-in kinds.
  const resources = own.description === undefined ? builtinDescriptions() : [];
  const server = new ApiServer({ store, resources, ownResources: [own] });
  const { group, version, resource, namespaced } = own.resource;
  const verbs = server.lookup(group, version, resource)?.verbs ?? [];
  try {
    const lacking = check.verbs.find((verb) => !verbs.includes(verb));
    if (lacking !== undefined) return `it has no ${lacking}`;
    await check.run({
      client: createClient(server.transport()),
      resource: own.resource,
      namespaces: namespaced ? ["contract-a", "contract-b"] : [undefined, undefined],
      make: (name, namespace) => make(namespace === undefined ? { name } : { name, namespace }) as New<KubeObject>,
      has: (verb) => verbs.includes(verb),
    });
    return undefined;
  } finally {
    await dispose?.();
  }
}

async function rejects(work: Promise<unknown>, reason: StatusReason): Promise<void> {
  const failure: unknown = await work.then(
    () => undefined,
    (error) => error,
  );
  assert.ok(isStatusError(failure, reason), `must be refused with ${reason}, not ${failure}`);
}

const keyOf = (name: string, namespace?: string): { readonly name: string; readonly namespace?: string } =>
  namespace === undefined ? { name } : { name, namespace };

function namesOf(items: readonly KubeObject[]): readonly (string | undefined)[] {
  return items.map(({ metadata }) => metadata.name).sort();
}

/** The first events of a watch, as `ADDED a`. What follows is not waited for. */
async function follow(
  { client, resource }: OwnResourceContext,
  options: { readonly namespace?: string | undefined; readonly resourceVersion?: string | undefined },
  count: number,
  meanwhile: () => Promise<void> = async () => {},
): Promise<readonly string[]> {
  const stop = new AbortController();
  const seen: string[] = [];
  const watching = (async () => {
    for await (const { type, object } of client.watch(resource, { ...options, signal: stop.signal })) {
      if (type !== "BOOKMARK") seen.push(`${type} ${object.metadata.name}`);
      if (seen.length >= count) return;
    }
  })();
  watching.catch(() => {});
  try {
    await meanwhile();
    await watching;
    return seen;
  } finally {
    stop.abort();
  }
}

const label = { type: "merge", body: { metadata: { labels: { contract: "yes" } } } } as const;

/** Every promise of a storage, by name. */
export const ownResourceChecks: readonly OwnResourceCheck[] = [
  {
    name: "what is created is got and listed as it is kept",
    verbs: ["create", "get", "list"],
    async run({ client, resource, make, namespaces: [namespace] }) {
      const made = await client.create(resource, make("a", namespace));
      assert.deepEqual(await client.get(resource, keyOf("a", namespace)), made);
      const { items } = await client.list(resource, { namespace });
      assert.deepEqual(
        items.find(({ metadata }) => metadata.name === "a"),
        made,
      );
    },
  },
  {
    name: "what is not there is not found",
    verbs: ["get"],
    async run({ client, resource, namespaces: [namespace] }) {
      await rejects(client.get(resource, keyOf("contract-nobody", namespace)), "NotFound");
    },
  },
  {
    name: "what is listed is got",
    verbs: ["get", "list"],
    async run({ client, resource }) {
      for (const object of (await client.list(resource)).items) {
        const { name = "", namespace } = object.metadata;
        assert.equal((await client.get(resource, keyOf(name, namespace))).metadata.name, name);
      }
    },
  },
  {
    name: "a name is given once",
    verbs: ["create"],
    async run({ client, resource, make, namespaces: [namespace] }) {
      await client.create(resource, make("a", namespace));
      await rejects(client.create(resource, make("a", namespace)), "AlreadyExists");
    },
  },
  {
    name: "namespaces are apart",
    verbs: ["create", "get", "list"],
    async run({ client, resource, make, namespaces: [one, two] }) {
      if (one === undefined) return;
      await client.create(resource, make("a", one));
      await rejects(client.get(resource, keyOf("a", two)), "NotFound");
      await client.create(resource, make("a", two));
      await client.create(resource, make("b", two));
      assert.deepEqual(namesOf((await client.list(resource, { namespace: one })).items), ["a"]);
      assert.deepEqual(namesOf((await client.list(resource, { namespace: two })).items), ["a", "b"]);
    },
  },
  {
    name: "a change is kept, and what was handed out before stays as it was",
    verbs: ["create", "get", "patch"],
    async run({ client, resource, make, namespaces: [namespace] }) {
      await client.create(resource, make("a", namespace));
      const before = await client.get(resource, keyOf("a", namespace));
      const copy = structuredClone(before);
      await client.patch(resource, keyOf("a", namespace), label);
      assert.deepEqual((await client.get(resource, keyOf("a", namespace))).metadata.labels, { contract: "yes" });
      assert.deepEqual(before, copy);
    },
  },
  {
    name: "a resource version changes with every change, where there is one",
    verbs: ["create", "patch"],
    async run({ client, resource, make, namespaces: [namespace] }) {
      const made = await client.create(resource, make("a", namespace));
      const changed = await client.patch(resource, keyOf("a", namespace), label);
      const version = made.metadata.resourceVersion;
      if (version) assert.notEqual(changed.metadata.resourceVersion, version);
    },
  },
  {
    name: "what is deleted is gone, and its name is free",
    verbs: ["create", "get", "delete"],
    async run({ client, resource, make, namespaces: [namespace] }) {
      await client.create(resource, make("a", namespace));
      await client.delete(resource, keyOf("a", namespace));
      await rejects(client.get(resource, keyOf("a", namespace)), "NotFound");
      await client.create(resource, make("a", namespace));
    },
  },
  {
    name: "a watch shows what there is, then every change in order",
    verbs: ["create", "watch"],
    async run(context) {
      const { client, resource, make, has } = context;
      const [namespace] = context.namespaces;
      await client.create(resource, make("a", namespace));
      const changes: string[] = ["ADDED b"];
      if (has("patch")) changes.push("MODIFIED b");
      if (has("delete")) changes.push("DELETED b");
      const seen = await follow(context, { namespace }, 1 + changes.length, async () => {
        await follow(context, { namespace }, 1);
        await client.create(resource, make("b", namespace));
        if (has("patch")) await client.patch(resource, keyOf("b", namespace), label);
        if (has("delete")) await client.delete(resource, keyOf("b", namespace));
      });
      assert.deepEqual(seen, ["ADDED a", ...changes]);
    },
  },
  {
    name: "a watch goes on from the list that a client has",
    verbs: ["create", "list", "watch"],
    async run(context) {
      const { client, resource, make } = context;
      const [namespace] = context.namespaces;
      await client.create(resource, make("a", namespace));
      const { resourceVersion } = (await client.list(resource, { namespace })).metadata;
      await client.create(resource, make("b", namespace));
      // Without a version the watch begins anew, which loses nothing either.
      const wanted = resourceVersion ? ["ADDED b"] : ["ADDED a", "ADDED b"];
      const seen = await follow(context, { namespace, resourceVersion }, wanted.length);
      assert.deepEqual([...seen].sort(), wanted);
    },
  },
  {
    name: "a watch ends when its client goes",
    verbs: ["watch"],
    async run({ client, resource }) {
      const stop = new AbortController();
      const watching = (async () => {
        for await (const _ of client.watch(resource, { signal: stop.signal }));
      })();
      setImmediate(() => stop.abort());
      await watching;
    },
  },
];
