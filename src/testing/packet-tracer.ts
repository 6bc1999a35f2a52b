import { cidrContains, parseCidr, parseIp } from "../api/index.js";
import type { Clock } from "../internal/clock.js";
import type { Random } from "../internal/random.js";
import { type SimulatedIptables, type SimulatedRule, targetOf } from "./simulated-iptables.js";

export interface Packet {
  readonly source: string;
  readonly destination: string;
  readonly port: number;
  readonly protocol: string;
}

export interface TracedPacket {
  readonly verdict: "accepted" | "dropped" | "rejected";
  readonly source: string;
  readonly destination: string;
  readonly port: number;
  /** Whether it ends on the node itself. */
  readonly toNode: boolean;
  /** The chains that it went through, as `table CHAIN`. */
  readonly path: readonly string[];
}

interface State {
  source: string;
  destination: string;
  port: number;
  readonly protocol: string;
  mark: number;
  readonly path: string[];
}

type Verdict = "accept" | "drop" | "reject" | "return" | "translated";

export interface PacketTracerOptions {
  readonly iptables: SimulatedIptables;
  /** The first is what masquerading puts in. */
  readonly nodeAddresses: readonly string[];
  readonly clock: Clock;
  readonly random: Random;
}

/** Follows first packets of new connections through rules, as the kernel would. A rule that it cannot read is an error. */
export class PacketTracer {
  readonly #options: PacketTracerOptions;
  /** Of the match `recent`: when each source was last set, by list. */
  readonly #recent = new Map<string, Map<string, number>>();

  constructor(options: PacketTracerOptions) {
    this.#options = options;
  }

  trace(packet: Packet): TracedPacket {
    const state: State = {
      source: packet.source,
      destination: packet.destination,
      port: packet.port,
      protocol: packet.protocol.toLowerCase(),
      mark: 0,
      path: [],
    };
    const fromNode = this.#isLocal(packet.source);
    this.#chain("nat", fromNode ? "OUTPUT" : "PREROUTING", state);
    const toNode = this.#isLocal(state.destination);
    const filters = fromNode ? (toNode ? ["OUTPUT", "INPUT"] : ["OUTPUT"]) : [toNode ? "INPUT" : "FORWARD"];
    for (const filter of filters) {
      const verdict = this.#chain("filter", filter, state);
      if (verdict === "drop") return this.#end("dropped", state, toNode);
      if (verdict === "reject") return this.#end("rejected", state, toNode);
    }
    if (!toNode || fromNode) this.#chain("nat", "POSTROUTING", state);
    return this.#end("accepted", state, toNode);
  }

  #end(verdict: TracedPacket["verdict"], state: State, toNode: boolean): TracedPacket {
    const { source, destination, port, path } = state;
    return { verdict, source, destination, port, toNode, path };
  }

  #isLocal(address: string): boolean {
    return this.#options.nodeAddresses.includes(address) || address.startsWith("127.");
  }

  /** What the chain decides; `return` at its end. */
  #chain(table: string, chain: string, state: State): Verdict {
    state.path.push(`${table} ${chain}`);
    const rules = this.#options.iptables.rules(table, chain);
    if (rules === undefined) throw new Error(`a packet came to ${table} ${chain}, which is not there`);
    for (const rule of rules) {
      if (!this.#matches(rule, state)) continue;
      const verdict = this.#target(table, rule, state);
      if (verdict === "return") return "return";
      if (verdict !== undefined) return verdict;
    }
    return "return";
  }

  /** Undefined: on to the next rule. */
  #target(table: string, rule: SimulatedRule, state: State): Verdict | undefined {
    const target = targetOf(rule);
    const { words } = rule;
    switch (target) {
      case undefined:
        return undefined;
      case "ACCEPT":
        return "accept";
      case "DROP":
        return "drop";
      case "REJECT":
        return "reject";
      case "RETURN":
        return "return";
      case "MASQUERADE":
        state.source = this.#options.nodeAddresses[0] ?? "";
        return "translated";
      case "DNAT": {
        const to = after(words, "--to-destination");
        const colon = to.lastIndexOf(":");
        state.destination = to.slice(0, colon).replace(/^\[|\]$/g, "");
        state.port = Number(to.slice(colon + 1));
        return "translated";
      }
      case "MARK": {
        if (words.includes("--or-mark")) state.mark |= Number(after(words, "--or-mark"));
        else state.mark ^= Number(after(words, "--xor-mark"));
        return undefined;
      }
      default: {
        const verdict = this.#chain(table, target, state);
        return verdict === "return" ? undefined : verdict;
      }
    }
  }

  #matches({ words, text }: SimulatedRule, state: State): boolean {
    let negated = false;
    for (let at = 0; at < words.length; at++) {
      const word = words[at] ?? "";
      const value = words[at + 1] ?? "";
      if (word === "-j") return true;
      if (word === "!") {
        negated = true;
        continue;
      }
      const result = this.#match(word, value, words, state);
      if (result === undefined) throw new Error(`cannot read ${word} of ${JSON.stringify(text)}`);
      if (result.holds === negated) return false;
      negated = false;
      at += result.takes;
    }
    return true;
  }

  /** Undefined: unknown. */
  #match(
    word: string,
    value: string,
    words: readonly string[],
    state: State,
  ): { readonly holds: boolean; readonly takes: number } | undefined {
    const test = (holds: boolean): { holds: boolean; takes: number } => ({ holds, takes: 1 });
    switch (word) {
      // These say what the words behind them mean.
      case "-m":
      case "--comment":
      case "--mode":
      case "--name":
      case "--seconds":
        return test(true);
      case "--reap":
        return { holds: true, takes: 0 };
      case "-p":
        return test(state.protocol === value);
      case "-s":
        return test(inside(value, state.source));
      case "-d":
        return test(inside(value, state.destination));
      case "--dport":
        return test(state.port === Number(value));
      case "--dst-type":
        return test(value === "LOCAL" && this.#isLocal(state.destination));
      case "--src-type":
        return test(value === "LOCAL" && this.#isLocal(state.source));
      case "--ctstate":
        return test(value.split(",").includes("NEW"));
      case "--probability":
        return test(this.#options.random.next() < Number(value));
      case "--mark": {
        const [mark, mask] = value.split("/").map(Number);
        return test((state.mark & (mask ?? 0xffffffff)) === mark);
      }
      case "--set": {
        this.#list(after(words, "--name")).set(state.source, this.#options.clock.now());
        return { holds: true, takes: 0 };
      }
      case "--rcheck": {
        const seen = this.#list(after(words, "--name")).get(state.source);
        const seconds = Number(after(words, "--seconds"));
        const holds = seen !== undefined && this.#options.clock.now() - seen <= seconds * 1000;
        return { holds, takes: 0 };
      }
      default:
        return undefined;
    }
  }

  #list(name: string): Map<string, number> {
    const list = this.#recent.get(name) ?? new Map<string, number>();
    this.#recent.set(name, list);
    return list;
  }
}

function after(words: readonly string[], word: string): string {
  return words[words.indexOf(word) + 1] ?? "";
}

function inside(range: string, address: string): boolean {
  const ip = parseIp(address);
  const prefix = parseCidr(range.includes("/") ? range : `${range}/${range.includes(":") ? 128 : 32}`);
  return ip !== undefined && prefix !== undefined && cidrContains(prefix, ip);
}
