import { ownsChain } from "./owned-chains.js";
import type { TableEdit, TableName } from "./table-edit.js";

/** How packets get from the kernel's own chains into ours. */
export interface Jump {
  readonly table: TableName;
  readonly from: string;
  readonly to: string;
  /** As iptables-save prints it, without `-A CHAIN`. */
  readonly rule: string;
}

/** `match` ends with a space, or is empty. */
export function jump(table: TableName, from: string, to: string, comment: string, match = ""): Jump {
  return { table, from, to, rule: `${match}-m comment --comment "${comment}" -j ${to}` };
}

export interface SavedRule {
  readonly chain: string;
  /** Without `-A CHAIN`. */
  readonly rule: string;
}

/** What iptables-save says of a table, as far as it is ours. */
export interface SavedTable {
  readonly table: TableName;
  /** All chains that are there, ours and others'. */
  readonly chains: ReadonlySet<string>;
  /** Jumps from others' chains into ours. */
  readonly jumps: readonly SavedRule[];
  /** How many rules our chains hold. */
  readonly ownRules: number;
}

export function parseSaved(table: TableName, text: string): SavedTable {
  const chains = new Set<string>();
  const found: SavedRule[] = [];
  let ownRules = 0;
  for (const line of text.split("\n")) {
    if (line.startsWith(":")) chains.add(line.slice(1, line.indexOf(" ")));
    if (!line.startsWith("-A ")) continue;
    const end = line.indexOf(" ", 3);
    const chain = line.slice(3, end < 0 ? undefined : end);
    if (ownsChain(table, chain)) {
      ownRules++;
      continue;
    }
    const to = / -j (\S+)$/.exec(line)?.[1];
    if (to !== undefined && ownsChain(table, to)) found.push({ chain, rule: line.slice(end + 1) });
  }
  return { table, chains, jumps: found, ownRules };
}

/** Whether every way into our chains is there. */
export function hasAllJumps(saved: SavedTable, jumps: readonly Jump[]): boolean {
  return jumps.every(
    ({ table, from, rule }) =>
      table !== saved.table || saved.jumps.some((found) => found.chain === from && found.rule === rule),
  );
}

/** Puts in the jumps that are missing, and takes out those that are not wanted or are there twice. */
export function addJumps(edit: TableEdit, saved: SavedTable, jumps: readonly Jump[]): void {
  const kept = new Set<string>();
  for (const { chain, rule } of saved.jumps) {
    const id = `${chain}\n${rule}`;
    const wanted = jumps.some((one) => one.table === edit.table && one.from === chain && one.rule === rule);
    if (wanted && !kept.has(id)) kept.add(id);
    else edit.removeRule(chain, rule);
  }
  for (const { table, from, rule } of jumps.toReversed()) {
    if (table === edit.table && !kept.has(`${from}\n${rule}`)) edit.insertRule(from, rule);
  }
}

/** Takes out everything of ours. */
export function removeOwned(edit: TableEdit, saved: SavedTable): void {
  for (const { chain, rule } of saved.jumps) edit.removeRule(chain, rule);
  for (const chain of saved.chains) if (ownsChain(edit.table, chain)) edit.remove(chain);
}
