import type { FamilyRuleOptions, FamilyRules } from "../netfilter/family-proxy.js";
import type { IptablesTools } from "../netfilter/iptables-tools.js";
import { ownsChain } from "../netfilter/owned-chains.js";
import { addJumps, hasAllJumps, parseSaved, removeOwned, type SavedTable } from "../netfilter/saved-rules.js";
import { renderEdits, TableEdit, type TableName } from "../netfilter/table-edit.js";
import type { ProxyServicePort, ServiceTableUpdate } from "../proxy.js";
import { fixedChains, jumps, lastRules, type SharedChain, sharedChains } from "./base-chains.js";
import { type RenderedPort, renderPort } from "./render.js";

/** Lines that the nft variant is given at once. */
const pieceLines = 2000;
/** A shared chain with more changes than this is written anew. */
const maxSingleChanges = 50;

interface Done {
  readonly port: ProxyServicePort;
  readonly rendered: RenderedPort;
}

const splitName = (chain: SharedChain): readonly [TableName, string] => {
  const [table, name] = chain.split(" ");
  return [table === "nat" ? "nat" : "filter", name ?? ""];
};

/** Keeps the rules of one address family. */
export class IptablesFamily implements FamilyRules {
  readonly family: 4 | 6;
  readonly #tools: IptablesTools;
  readonly #options: FamilyRuleOptions;
  /** What the host holds, by the port's id. */
  #done = new Map<string, Done>();
  #known = false;

  constructor(family: 4 | 6, tools: IptablesTools, options: FamilyRuleOptions) {
    this.family = family;
    this.#tools = tools;
    this.#options = options;
  }

  async sync({ table, changed }: ServiceTableUpdate, signal?: AbortSignal): Promise<void> {
    const all = changed === undefined || !this.#known;
    const next = new Map(all ? [] : this.#done);
    for (const id of all ? table.ports.keys() : changed) {
      const port = table.ports.get(id);
      const old = this.#done.get(id);
      if (port === undefined || port.family !== this.family) next.delete(id);
      else next.set(id, old?.port === port ? old : { port, rendered: renderPort(port, this.#options) });
    }
    const steps = all ? await this.#everything(next, signal) : await this.#difference(next, changed, signal);
    this.#known = false;
    for (const input of renderEdits(steps)) await this.#tools.restore(input, signal);
    this.#done = next;
    this.#known = true;
  }

  async check(signal?: AbortSignal): Promise<boolean> {
    if (!this.#known) return true;
    const expected = { filter: 0, nat: 0 };
    for (const { table, rules } of fixedChains(this.#options.mark)) expected[table] += rules.length;
    for (const chain of sharedChains) if (lastRules[chain] !== undefined) expected[splitName(chain)[0]]++;
    for (const { rendered } of this.#done.values()) {
      for (const { chain } of rendered.shared) expected[splitName(chain)[0]]++;
      for (const rules of rendered.chains.values()) expected.nat += rules.length;
    }
    for (const table of ["filter", "nat"] as const) {
      const saved = await this.#saved(table, signal);
      if (saved.ownRules !== expected[table] || !hasAllJumps(saved, jumps)) return false;
    }
    return true;
  }

  /** Works from what is there, not from what this object did. */
  async clean(): Promise<void> {
    this.#known = false;
    this.#done = new Map();
    const edits: TableEdit[] = [];
    for (const table of ["filter", "nat"] as const) {
      const saved = await this.#saved(table);
      const edit = new TableEdit(table);
      removeOwned(edit, saved);
      edits.push(edit);
    }
    for (const input of renderEdits([edits])) await this.#tools.restore(input);
  }

  async #saved(table: TableName, signal?: AbortSignal): Promise<SavedTable> {
    return parseSaved(table, await this.#tools.save(table, signal));
  }

  async #everything(next: ReadonlyMap<string, Done>, signal?: AbortSignal): Promise<readonly TableEdit[][]> {
    const own: [string, readonly string[]][] = [];
    for (const { rendered } of next.values()) own.push(...rendered.chains);
    const last = { filter: new TableEdit("filter"), nat: new TableEdit("nat") };
    const marking = new TableEdit("nat");
    for (const { table, chain, rules } of fixedChains(this.#options.mark)) {
      // Chains of services refer to this one, and may be written before the others.
      if (chain === "KUBE-MARK-MASQ") marking.write(chain, rules);
      last[table].write(chain, rules);
    }
    for (const chain of sharedChains) this.#writeShared(last, chain, next);
    const wanted = new Set(own.map(([chain]) => chain));
    for (const table of ["filter", "nat"] as const) {
      const saved = await this.#saved(table, signal);
      for (const chain of saved.chains) if (ownsChain(table, chain) && !wanted.has(chain)) last[table].remove(chain);
      addJumps(last[table], saved, jumps);
    }
    return this.#arrange(own, last, [marking], signal);
  }

  async #difference(
    next: ReadonlyMap<string, Done>,
    changed: ReadonlySet<string>,
    signal?: AbortSignal,
  ): Promise<readonly TableEdit[][]> {
    const own: [string, readonly string[]][] = [];
    const last = { filter: new TableEdit("filter"), nat: new TableEdit("nat") };
    const gone = new Map<SharedChain, string[]>();
    const added = new Map<SharedChain, string[]>();
    const unneeded = new Set<string>();
    for (const id of changed) {
      const before = this.#done.get(id)?.rendered;
      const after = next.get(id)?.rendered;
      if (before === after) continue;
      for (const chain of before?.chains.keys() ?? []) unneeded.add(chain);
      for (const [chain, rules] of after?.chains ?? []) {
        if (!sameRules(before?.chains.get(chain), rules)) own.push([chain, rules]);
      }
      sharedDifference(before, after, gone);
      sharedDifference(after, before, added);
    }
    // A chain may pass from one port to another, as when a service is deleted and created again.
    for (const id of changed) for (const chain of next.get(id)?.rendered.chains.keys() ?? []) unneeded.delete(chain);
    for (const chain of unneeded) last.nat.remove(chain);
    for (const chain of sharedChains) {
      const [table, name] = splitName(chain);
      const less = gone.get(chain) ?? [];
      const more = added.get(chain) ?? [];
      if (less.length + more.length > maxSingleChanges) this.#writeShared(last, chain, next);
      else {
        for (const rule of less) last[table].removeRule(name, rule);
        for (const rule of more) last[table].insertRule(name, rule);
      }
    }
    return this.#arrange(own, last, [], signal);
  }

  #writeShared(
    last: Readonly<Record<TableName, TableEdit>>,
    chain: SharedChain,
    next: ReadonlyMap<string, Done>,
  ): void {
    const [table, name] = splitName(chain);
    const rules: string[] = [];
    for (const { rendered } of next.values()) {
      for (const shared of rendered.shared) if (shared.chain === chain) rules.push(shared.rule);
    }
    const end = lastRules[chain];
    if (end !== undefined) rules.push(end);
    last[table].write(name, rules);
  }

  /** Chains before what refers to them, in one piece where that is best. */
  async #arrange(
    own: readonly (readonly [string, readonly string[]])[],
    last: Readonly<Record<TableName, TableEdit>>,
    first: readonly TableEdit[],
    signal: AbortSignal | undefined,
  ): Promise<TableEdit[][]> {
    const lines = own.reduce((sum, [, rules]) => sum + rules.length + 1, 0);
    if (lines <= pieceLines || !(await this.#tools.inPieces(signal))) {
      for (const [chain, rules] of own) last.nat.write(chain, rules);
      return [[last.filter, last.nat]];
    }
    const steps: TableEdit[][] = first.length > 0 ? [[...first]] : [];
    let piece = new TableEdit("nat");
    let size = 0;
    for (const [chain, rules] of own) {
      piece.write(chain, rules);
      size += rules.length + 1;
      if (size < pieceLines) continue;
      steps.push([piece]);
      piece = new TableEdit("nat");
      size = 0;
    }
    return [...steps, [piece], [last.filter, last.nat]];
  }
}

function sameRules(a: readonly string[] | undefined, b: readonly string[]): boolean {
  return a !== undefined && a.length === b.length && a.every((rule, index) => rule === b[index]);
}

/** Adds to `into` what `from` has and `other` has not. */
function sharedDifference(
  from: RenderedPort | undefined,
  other: RenderedPort | undefined,
  into: Map<SharedChain, string[]>,
): void {
  for (const { chain, rule } of from?.shared ?? []) {
    if (other?.shared.some((one) => one.chain === chain && one.rule === rule)) continue;
    const rules = into.get(chain) ?? [];
    rules.push(rule);
    into.set(chain, rules);
  }
}
