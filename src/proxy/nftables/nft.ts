import type { Exec } from "../exec.js";
import { must } from "../netfilter/run.js";
import { type FamilyWords, tableName } from "./base.js";

/** What the kernel has of our table, without elements. */
export interface Listed {
  readonly chains: ReadonlySet<string>;
  readonly sets: ReadonlySet<string>;
  readonly maps: ReadonlySet<string>;
  readonly rules: number;
}

/** One transaction: all of it happens, or nothing. */
export class Transaction {
  readonly #table: string;
  readonly #lines: string[] = [];

  constructor({ family }: FamilyWords) {
    this.#table = `${family} ${tableName}`;
  }

  get empty(): boolean {
    return this.#lines.length === 0;
  }

  toString(): string {
    return `${this.#lines.join("\n")}\n`;
  }

  /** Makes the table where it is missing. */
  addTable(): void {
    this.#lines.push(`add table ${this.#table}`);
  }

  deleteTable(): void {
    this.#lines.push(`delete table ${this.#table}`);
  }

  /** Removes all rules; chains, sets and elements stay. */
  flushRules(): void {
    this.#lines.push(`flush table ${this.#table}`);
  }

  /** `declaration`: `map { type ... }`. */
  addSet(name: string, declaration: string): void {
    const space = declaration.indexOf(" ");
    this.#say("add", declaration.slice(0, space), name, declaration.slice(space));
  }

  flushSet(kind: "set" | "map", name: string): void {
    this.#say("flush", kind, name);
  }

  deleteSet(kind: "set" | "map", name: string): void {
    this.#say("delete", kind, name);
  }

  /** `hook`: where the kernel calls it. Nothing happens to a chain that is there. */
  addChain(name: string, hook?: string): void {
    this.#say("add", "chain", name, hook === undefined ? "" : ` { ${hook}; }`);
  }

  addRules(chain: string, rules: readonly string[]): void {
    for (const rule of rules) this.#say("add", "rule", chain, ` ${rule}`);
  }

  flushChain(name: string): void {
    this.#say("flush", "chain", name);
  }

  deleteChain(name: string): void {
    this.#say("delete", "chain", name);
  }

  /** `elements`: as they stand between braces. */
  changeElements(action: "add" | "delete", set: string, elements: readonly string[]): void {
    if (elements.length > 0) this.#say(action, "element", set, ` { ${elements.join(", ")} }`);
  }

  #say(action: string, kind: string, name: string, rest = ""): void {
    this.#lines.push(`${action} ${kind} ${this.#table} ${name}${rest}`);
  }
}

/** Runs the program. */
export class Nft {
  readonly #exec: Exec;
  readonly #family: string;

  constructor(exec: Exec, { family }: FamilyWords) {
    this.#exec = exec;
    this.#family = family;
  }

  async commit(transaction: Transaction, signal?: AbortSignal): Promise<void> {
    if (transaction.empty) return;
    await must(this.#exec, "nft", ["-f", "-"], { stdin: transaction.toString(), signal });
  }

  /** Undefined: there is no table. */
  async list(signal?: AbortSignal): Promise<Listed | undefined> {
    const tables = await must(this.#exec, "nft", ["-j", "list", "tables", this.#family], { signal });
    if (!objectsIn(tables).some(({ table }) => table?.name === tableName)) return undefined;
    const args = ["-j", "-t", "list", "table", this.#family, tableName];
    const objects = objectsIn(await must(this.#exec, "nft", args, { signal }));
    const names = (kind: "chain" | "set" | "map"): Set<string> =>
      new Set(objects.flatMap((object) => object[kind]?.name ?? []));
    return {
      chains: names("chain"),
      sets: names("set"),
      maps: names("map"),
      rules: objects.filter(({ rule }) => rule !== undefined).length,
    };
  }
}

interface Listing {
  readonly nftables: readonly {
    readonly [kind in "table" | "chain" | "set" | "map" | "rule"]?: { readonly name?: string };
  }[];
}

function objectsIn(text: string): Listing["nftables"] {
  return (JSON.parse(text) as Listing).nftables;
}
