import type { Exec } from "../proxy/iptables/index.js";

export interface SimulatedRule {
  /** Without `-A CHAIN`. */
  readonly text: string;
  readonly words: readonly string[];
}

type Tables = Map<string, Map<string, SimulatedRule[]>>;

const builtin: readonly (readonly [string, readonly string[]])[] = [
  ["filter", ["INPUT", "FORWARD", "OUTPUT"]],
  ["nat", ["PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"]],
];

/**
 * The part of iptables that proxies use, in memory: restore without flushing (whole tables or nothing), save, version. It refuses
 * what iptables refuses: rules that jump nowhere, deletion of rules that are not there and of chains that are still referred to.
 */
export class SimulatedIptables {
  #tables: Tables = new Map(builtin.map(([table, chains]) => [table, new Map(chains.map((chain) => [chain, []]))]));
  /** Inputs of iptables-restore so far. */
  readonly restores: string[] = [];
  /** What `iptables --version` says it is. */
  readonly variant: "legacy" | "nf_tables";

  constructor(variant: "legacy" | "nf_tables" = "legacy") {
    this.variant = variant;
  }

  readonly exec: Exec = async (command, args, { stdin = "" } = {}) => {
    const done = (stdout: string): { code: number; stdout: string; stderr: string } => ({
      code: 0,
      stdout,
      stderr: "",
    });
    if (command === "conntrack") return done("");
    if (args[0] === "--version") return done(`iptables v1.8.9 (${this.variant})\n`);
    if (command === "iptables-save") return done(this.save(args[1] ?? ""));
    if (command !== "iptables-restore" || !args.includes("--noflush")) throw new Error(`not simulated: ${command}`);
    this.restores.push(stdin);
    try {
      this.#restore(stdin);
    } catch (error) {
      return { code: 2, stdout: "", stderr: `iptables-restore: ${error instanceof Error ? error.message : error}` };
    }
    return done("");
  };

  rules(table: string, chain: string): readonly SimulatedRule[] | undefined {
    return this.#tables.get(table)?.get(chain);
  }

  save(table: string): string {
    const lines = [`*${table}`];
    const chains = this.#tables.get(table) ?? new Map<string, SimulatedRule[]>();
    for (const chain of chains.keys()) lines.push(`:${chain} ${isBuiltin(table, chain) ? "ACCEPT" : "-"} [0:0]`);
    for (const [chain, rules] of chains) for (const { text } of rules) lines.push(`-A ${chain} ${text}`);
    return `${lines.join("\n")}\nCOMMIT\n`;
  }

  /** Every chain that is not the kernel's own, and every rule in one that is. */
  get leftovers(): readonly string[] {
    const left: string[] = [];
    for (const [table, chains] of this.#tables) {
      for (const [chain, rules] of chains) {
        if (!isBuiltin(table, chain)) left.push(`${table} ${chain}`);
        else left.push(...rules.map(({ text }) => `${table} -A ${chain} ${text}`));
      }
    }
    return left;
  }

  /** As `iptables -F; iptables -X` for each table. */
  flush(): void {
    for (const [table, chains] of this.#tables) {
      for (const chain of [...chains.keys()]) {
        if (isBuiltin(table, chain)) chains.set(chain, []);
        else chains.delete(chain);
      }
    }
  }

  #restore(input: string): void {
    const tables: Tables = new Map(
      [...this.#tables].map(([name, chains]) => [
        name,
        new Map([...chains].map(([chain, rules]) => [chain, [...rules]])),
      ]),
    );
    let table = "";
    for (const [index, line] of input.split("\n").entries()) {
      const chains = tables.get(table);
      if (line === "" || line.startsWith("#")) continue;
      if (line.startsWith("*")) table = line.slice(1);
      else if (chains === undefined) throw new Error(`line ${index + 1}: no table`);
      else if (line === "COMMIT") {
        checkTargets(table, chains);
        this.#tables.set(table, chains);
        table = "";
      } else {
        try {
          edit(chains, line, table);
        } catch (error) {
          throw new Error(`line ${index + 1} failed: ${error instanceof Error ? error.message : error}`, {
            cause: error,
          });
        }
      }
    }
    if (table !== "") throw new Error("COMMIT expected");
  }
}

function isBuiltin(table: string, chain: string): boolean {
  return builtin.some(([name, chains]) => name === table && chains.includes(chain));
}

function edit(chains: Map<string, SimulatedRule[]>, line: string, table: string): void {
  if (line.startsWith(":")) {
    const name = line.slice(1).split(" ")[0] ?? "";
    if (name.length > 28) throw new Error(`chain name ${name} too long (must be under 29 chars)`);
    chains.set(name, []);
    return;
  }
  const [verb = "", chain = ""] = line.split(" ", 2);
  const rules = chains.get(chain);
  if (rules === undefined) throw new Error(`No chain by that name: ${chain}`);
  const text = line.slice(verb.length + chain.length + 2);
  switch (verb) {
    case "-A":
      rules.push(parseRule(text));
      return;
    case "-I":
      rules.unshift(parseRule(text.replace(/^1 /, "")));
      return;
    case "-D": {
      const at = rules.findIndex((rule) => rule.text === text);
      if (at < 0) throw new Error(`Bad rule (does a matching rule exist in that chain?): ${line}`);
      rules.splice(at, 1);
      return;
    }
    case "-X": {
      if (isBuiltin(table, chain) || rules.length > 0) throw new Error(`Directory not empty: ${chain}`);
      for (const [name, others] of chains) {
        if (others.some((rule) => targetOf(rule) === chain)) throw new Error(`Too many links: ${chain} from ${name}`);
      }
      chains.delete(chain);
      return;
    }
    default:
      throw new Error(`Unknown option ${verb}`);
  }
}

export function targetOf({ words }: SimulatedRule): string | undefined {
  const at = words.lastIndexOf("-j");
  return at < 0 ? undefined : words[at + 1];
}

const extensions = new Set(["ACCEPT", "DROP", "RETURN", "REJECT", "DNAT", "MASQUERADE", "MARK"]);

function checkTargets(table: string, chains: ReadonlyMap<string, readonly SimulatedRule[]>): void {
  for (const [chain, rules] of chains) {
    for (const rule of rules) {
      const target = targetOf(rule);
      if (target === undefined || extensions.has(target)) continue;
      if (!chains.has(target) || isBuiltin(table, target))
        throw new Error(`${chain}: no chain by that name: ${target}`);
    }
  }
}

function parseRule(text: string): SimulatedRule {
  const words: string[] = [];
  for (const match of text.matchAll(/"([^"]*)"|(\S+)/g)) words.push(match[1] ?? match[2] ?? "");
  return { text, words };
}
