import type { Random } from "coxswain";
import { type ConfigMap, configMaps, isStatusError } from "coxswain/api";
import { type Client, createInformer } from "coxswain/client";

/** What became of one object, in order: `ADDED 3`, `MODIFIED 4`, `DELETED 4`. */
export type Histories = ReadonlyMap<string, readonly string[]>;

const namespace = "default";
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

function record(histories: Map<string, string[]>, name: string, entry: string): void {
  const history = histories.get(name);
  if (history === undefined) histories.set(name, [entry]);
  else history.push(entry);
}

const roundOf = (object: ConfigMap | undefined): string | undefined => object?.data?.["round"];

/**
 * Writes objects that nobody else writes, one write after the other, and knows after each error by reading what became of it. So what was
 * written is known exactly.
 */
export class Writer {
  readonly histories: Map<string, string[]> = new Map();
  readonly #objects = new Map<string, ConfigMap>();
  acknowledged = 0;
  failed = 0;
  readonly #client: Client;
  readonly #name: string;
  readonly #random: Random;
  #round = 0;

  constructor(client: Client, name: string, random: Random) {
    this.#client = client;
    this.#name = name;
    this.#random = random;
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const name = `${this.#name}-${Math.floor(this.#random.next() * 10)}`;
      const current = this.#objects.get(name);
      const round = String(this.#round++);
      try {
        const next = await this.#write(name, current, round);
        this.acknowledged++;
        this.#became(name, current, next);
      } catch {
        this.failed++;
        this.#became(name, current, await this.#read(name));
      }
    }
  }

  /** The names and rounds of all that exist at the end. */
  get remaining(): ReadonlyMap<string, string | undefined> {
    return new Map([...this.#objects].map(([name, object]) => [name, roundOf(object)]));
  }

  async #write(name: string, current: ConfigMap | undefined, round: string): Promise<ConfigMap | undefined> {
    if (current === undefined) {
      return this.#client.create(configMaps, {
        apiVersion: "v1",
        kind: "ConfigMap",
        metadata: { name, namespace, labels: { part: "load" } },
        data: { round },
      });
    }
    if (this.#random.next() < 0.25) {
      const { uid, resourceVersion } = current.metadata;
      await this.#client.delete(configMaps, { namespace, name }, { preconditions: { uid, resourceVersion } });
      return undefined;
    }
    return this.#client.update(configMaps, { ...current, data: { round } });
  }

  #became(name: string, before: ConfigMap | undefined, after: ConfigMap | undefined): void {
    if (after === undefined) this.#objects.delete(name);
    else this.#objects.set(name, after);
    if (before?.metadata.resourceVersion === after?.metadata.resourceVersion) return;
    if (after === undefined) record(this.histories, name, `DELETED ${roundOf(before)}`);
    else record(this.histories, name, `${before === undefined ? "ADDED" : "MODIFIED"} ${roundOf(after)}`);
  }

  async #read(name: string): Promise<ConfigMap | undefined> {
    for (;;) {
      await pause(30);
      try {
        return await this.#client.get(configMaps, { namespace, name });
      } catch (error) {
        if (isStatusError(error, "NotFound")) return undefined;
      }
    }
  }
}

/** Watches from one revision on, and goes on after each break at the last revision that it saw: it never lists again. */
export class Watcher {
  readonly histories: Map<string, string[]> = new Map();
  events = 0;
  breaks = 0;
  /** Revisions that came out of order or twice. */
  readonly disorder: string[] = [];
  readonly #client: Client;
  #revision: string;

  constructor(client: Client, revision: string) {
    this.#client = client;
    this.#revision = revision;
  }

  /** Rejects when the server says that it has forgotten what comes next. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        const options = {
          namespace,
          labelSelector: "part=load",
          resourceVersion: this.#revision,
          allowWatchBookmarks: true,
          signal,
        };
        for await (const { type, object } of this.#client.watch(configMaps, options)) {
          const revision = object.metadata.resourceVersion;
          if (type !== "BOOKMARK") {
            this.events++;
            if (BigInt(revision) <= BigInt(this.#revision)) this.disorder.push(`${this.#revision} then ${revision}`);
            record(this.histories, object.metadata.name, `${type} ${roundOf(object)}`);
          }
          this.#revision = revision;
        }
      } catch (error) {
        if (isStatusError(error, "Expired") || isStatusError(error, "Gone")) throw error;
      }
      if (signal.aborted) return;
      this.breaks++;
      await pause(20);
    }
  }
}

/** The same as an informer's handlers see it. */
export async function informed(
  client: Client,
  signal: AbortSignal,
): Promise<{ readonly histories: Histories; readonly done: Promise<void> }> {
  const histories = new Map<string, string[]>();
  const informer = createInformer({ client, resource: configMaps, namespace, labelSelector: "part=load" });
  informer.addHandler({
    add: (object) => record(histories, object.metadata.name, `ADDED ${roundOf(object)}`),
    update: (_, object) => record(histories, object.metadata.name, `MODIFIED ${roundOf(object)}`),
    delete: (object) => record(histories, object.metadata.name, `DELETED ${roundOf(object)}`),
  });
  const done = informer.run(signal);
  await informer.whenSynced(signal);
  return { histories, done };
}
