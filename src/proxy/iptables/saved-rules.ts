import { jumps, ownsSharedChain, type TableName } from "./base-chains.js";
import { perServiceChain } from "./chain-names.js";

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

export function ownsChain(table: TableName, chain: string): boolean {
  return ownsSharedChain(table, chain) || (table === "nat" && perServiceChain.test(chain));
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
    if (to !== undefined && ownsSharedChain(table, to)) found.push({ chain, rule: line.slice(end + 1) });
  }
  return { table, chains, jumps: found, ownRules };
}

/** Whether every way into our chains is there. */
export function hasAllJumps(saved: SavedTable): boolean {
  return jumps.every(
    ({ table, from, rule }) =>
      table !== saved.table || saved.jumps.some((jump) => jump.chain === from && jump.rule === rule),
  );
}
