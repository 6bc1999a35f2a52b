import type { Exec } from "../exec.js";
import type { FamilyRuleOptions, FamilyRules } from "../netfilter/family-proxy.js";
import { ProxyError, type ProxyServicePort, type ServiceTable, type ServiceTableUpdate } from "../proxy.js";
import { baseChains, type FamilyWords, familyWords, sharedSets } from "./base.js";
import { Elements } from "./elements.js";
import { type Listed, Nft, Transaction } from "./nft.js";
import { type Element, type RenderedPort, renderPort } from "./render.js";
import { Shared } from "./shared.js";

interface Done {
  readonly port: ProxyServicePort;
  readonly rendered: RenderedPort;
}

const nothing: RenderedPort = { elements: [], chains: new Map(), sets: new Map() };

/** Keeps the table of one address family. */
export class NftablesFamily implements FamilyRules {
  readonly #family: 4 | 6;
  readonly #words: FamilyWords;
  readonly #nft: Nft;
  readonly #options: FamilyRuleOptions;
  /** What the host holds, by the port's id. */
  #done = new Map<string, Done>();
  #elements = new Elements();
  #chains = new Shared<readonly string[]>();
  #sets = new Shared<string>();
  #known = false;

  constructor(family: 4 | 6, exec: Exec, options: FamilyRuleOptions) {
    this.#family = family;
    this.#words = familyWords(family);
    this.#nft = new Nft(exec, this.#words);
    this.#options = options;
  }

  async sync({ table, changed }: ServiceTableUpdate, signal?: AbortSignal): Promise<void> {
    const known = this.#known;
    this.#known = false;
    if (changed === undefined || !known) await this.#everything(table, signal);
    else await this.#difference(table, changed, signal);
    this.#known = true;
  }

  async check(signal?: AbortSignal): Promise<boolean> {
    if (!this.#known) return true;
    const listed = await this.#nft.list(signal);
    if (listed === undefined) return false;
    const chains = [...this.#allChains()];
    return (
      chains.every(([name]) => listed.chains.has(name)) &&
      chains.reduce((sum, [, rules]) => sum + rules.length, 0) === listed.rules &&
      [...this.#allSets()].every(([name]) => listed.sets.has(name) || listed.maps.has(name))
    );
  }

  /** Works from what is there, not from what this object did. */
  async clean(): Promise<void> {
    this.#known = false;
    if ((await this.#nft.list()) === undefined) return;
    const transaction = new Transaction(this.#words);
    transaction.deleteTable();
    await this.#nft.commit(transaction);
  }

  *#allChains(): Generator<readonly [string, readonly string[]]> {
    for (const { name, rules } of baseChains(this.#words, this.#options)) yield [name, rules];
    yield* this.#chains.all();
  }

  *#allSets(): Generator<readonly [string, string]> {
    yield* sharedSets(this.#words);
    yield* this.#sets.all();
  }

  #render(table: ServiceTable, id: string): Done | undefined {
    const port = table.ports.get(id);
    if (port?.family !== this.#family) return undefined;
    const old = this.#done.get(id);
    return old?.port === port ? old : { port, rendered: renderPort(port, this.#words, this.#options) };
  }

  async #everything(table: ServiceTable, signal: AbortSignal | undefined): Promise<void> {
    const next = new Map<string, Done>();
    for (const id of table.ports.keys()) {
      const done = this.#render(table, id);
      if (done !== undefined) next.set(id, done);
    }
    this.#done = next;
    this.#elements = new Elements();
    this.#chains = new Shared();
    this.#sets = new Shared();
    for (const [id, { rendered }] of next) {
      this.#elements.replace(id, [], rendered.elements, new Map());
      this.#chains.replace(new Map(), rendered.chains);
      this.#sets.replace(new Map(), rendered.sets);
    }
    // All of it is written below.
    this.#chains.settle();
    this.#sets.settle();
    const listed = await this.#nft.list(signal);
    try {
      await this.#nft.commit(this.#whole(listed), signal);
    } catch (error) {
      if (listed === undefined || !(error instanceof ProxyError) || error.code === "unsupported") throw error;
      // Somebody else's table of this name, with other sets: there is nothing in it to keep.
      await this.#nft.commit(this.#whole(undefined), signal);
    }
  }

  /** Everything in one transaction. Of a table that is there, what remembers the clients of services is kept. */
  #whole(listed: Listed | undefined): Transaction {
    const transaction = new Transaction(this.#words);
    const [sets, chains] = [new Map(this.#allSets()), new Map(this.#allChains())];
    transaction.addTable();
    if (listed === undefined) {
      transaction.deleteTable();
      transaction.addTable();
    } else this.#empty(transaction, listed, sets, chains);
    for (const [name, declaration] of sets) transaction.addSet(name, declaration);
    const hooks = new Map(baseChains(this.#words, this.#options).map(({ name, hook }) => [name, hook]));
    for (const name of chains.keys()) transaction.addChain(name, hooks.get(name));
    for (const [name, rules] of chains) transaction.addRules(name, rules);
    addElements(transaction, "add", this.#elements.all());
    return transaction;
  }

  #empty(
    transaction: Transaction,
    listed: Listed,
    sets: ReadonlyMap<string, string>,
    chains: ReadonlyMap<string, readonly string[]>,
  ): void {
    const remembers = (name: string): boolean => sets.get(name)?.includes("timeout") ?? false;
    transaction.flushRules();
    for (const kind of ["map", "set"] as const) {
      for (const name of listed[`${kind}s`]) if (!remembers(name)) transaction.flushSet(kind, name);
    }
    for (const name of listed.chains) if (!chains.has(name)) transaction.deleteChain(name);
    for (const kind of ["map", "set"] as const) {
      for (const name of listed[`${kind}s`]) if (!sets.has(name)) transaction.deleteSet(kind, name);
    }
  }

  async #difference(table: ServiceTable, changed: ReadonlySet<string>, signal: AbortSignal | undefined): Promise<void> {
    const before = new Map<string, Element | undefined>();
    for (const id of changed) {
      const [old, next] = [this.#done.get(id), this.#render(table, id)];
      if (old === next) continue;
      const [was, is] = [old?.rendered ?? nothing, next?.rendered ?? nothing];
      this.#elements.replace(id, was.elements, is.elements, before);
      this.#chains.replace(was.chains, is.chains);
      this.#sets.replace(was.sets, is.sets);
      if (next === undefined) this.#done.delete(id);
      else this.#done.set(id, next);
    }
    const [elements, chains, sets] = [this.#elements.differences(before), this.#chains.settle(), this.#sets.settle()];
    const transaction = new Transaction(this.#words);
    for (const [name, declaration] of sets.added) transaction.addSet(name, declaration);
    for (const [name] of chains.added) transaction.addChain(name);
    addElements(transaction, "delete", elements.removed);
    for (const [name] of chains.changed) transaction.flushChain(name);
    for (const [name, rules] of [...chains.added, ...chains.changed]) transaction.addRules(name, rules);
    // First what they refer to each other by.
    for (const [name] of chains.removed) transaction.flushChain(name);
    for (const [name] of chains.removed) transaction.deleteChain(name);
    for (const [name, declaration] of sets.removed) {
      transaction.deleteSet(declaration.startsWith("map") ? "map" : "set", name);
    }
    addElements(transaction, "add", elements.added);
    await this.#nft.commit(transaction, signal);
  }
}

function addElements(transaction: Transaction, action: "add" | "delete", elements: Iterable<Element>): void {
  const bySet = new Map<string, string[]>();
  for (const { set, key, value } of elements) {
    const list = bySet.get(set) ?? [];
    list.push(value === undefined ? key : `${key} : ${value}`);
    bySet.set(set, list);
  }
  for (const [set, list] of bySet) transaction.changeElements(action, set, list);
}
