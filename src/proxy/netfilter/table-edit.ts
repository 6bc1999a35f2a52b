export type TableName = "filter" | "nat";

/** What is to happen to one table, as input for iptables-restore --noflush: atomic for each table and piece. */
export class TableEdit {
  readonly table: TableName;
  /** Chains written anew, with all their rules. */
  readonly #written = new Map<string, readonly string[]>();
  readonly #removedChains = new Set<string>();
  readonly #removedRules: string[] = [];
  readonly #insertedRules: string[] = [];

  constructor(table: TableName) {
    this.table = table;
  }

  get empty(): boolean {
    return this.#written.size + this.#removedChains.size + this.#removedRules.length + this.#insertedRules.length === 0;
  }

  write(chain: string, rules: readonly string[]): void {
    this.#removedChains.delete(chain);
    this.#written.set(chain, rules);
  }

  /** Nothing may refer to it any more once this edit is made. */
  remove(chain: string): void {
    if (!this.#written.has(chain)) this.#removedChains.add(chain);
  }

  removeRule(chain: string, rule: string): void {
    this.#removedRules.push(`-D ${chain} ${rule}`);
  }

  /** In front of the chain's other rules. */
  insertRule(chain: string, rule: string): void {
    this.#insertedRules.push(`-I ${chain} 1 ${rule}`);
  }

  /** Chains first, so that rules may refer to any of them; removed ones last, when no rule does. */
  render(lines: string[]): void {
    if (this.empty) return;
    lines.push(`*${this.table}`);
    for (const chain of this.#written.keys()) lines.push(`:${chain} - [0:0]`);
    for (const chain of this.#removedChains) lines.push(`:${chain} - [0:0]`);
    lines.push(...this.#removedRules);
    for (const [chain, rules] of this.#written) for (const rule of rules) lines.push(`-A ${chain} ${rule}`);
    lines.push(...this.#insertedRules);
    for (const chain of this.#removedChains) lines.push(`-X ${chain}`);
    lines.push("COMMIT");
  }
}

/** Inputs for iptables-restore, to be given to it one after the other. */
export function renderEdits(edits: readonly (readonly TableEdit[])[]): readonly string[] {
  return edits.flatMap((step) => {
    const lines: string[] = [];
    for (const edit of step) edit.render(lines);
    return lines.length === 0 ? [] : [`${lines.join("\n")}\n`];
  });
}
