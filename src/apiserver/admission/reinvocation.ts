import type { JsonObject } from "../../api/index.js";
import { jsonEqual } from "../../api/json-value.js";

/**
 * What the mutating plugins of one write know of each other. When a webhook or policy has changed the object all plugins run once more, of webhooks
 * and policies only those that ask for it and were called before something changed.
 */
export class Reinvocation {
  /** Whether this is the second run. */
  again = false;
  /** Whether there must be one. */
  wanted = false;
  readonly #calls = new Map<string, PluginCalls>();

  of(plugin: string): PluginCalls {
    let calls = this.#calls.get(plugin);
    if (calls === undefined) {
      calls = new PluginCalls(this);
      this.#calls.set(plugin, calls);
    }
    return calls;
  }
}

/** What one plugin has called during a write. */
class PluginCalls {
  readonly #reinvocation: Reinvocation;
  /** Called before, and willing to be called again. */
  #willing = new Set<string>();
  /** Those of them after whose call something changed. */
  readonly #due = new Set<string>();
  #output: JsonObject | undefined;

  constructor(reinvocation: Reinvocation) {
    this.#reinvocation = reinvocation;
  }

  /** Before the plugin's calls: whatever others changed since its last run counts. */
  begin(object: JsonObject): void {
    if (this.#reinvocation.again && !jsonEqual(object, this.#output)) this.#makeDue();
  }

  /** Nothing is called for the first time in the second run. */
  wants(key: string): boolean {
    return !this.#reinvocation.again || this.#due.has(key);
  }

  changed(): void {
    this.#makeDue();
    this.#reinvocation.wanted = true;
  }

  willing(key: string): void {
    this.#willing.add(key);
  }

  end(object: JsonObject): void {
    this.#output = object;
  }

  #makeDue(): void {
    for (const key of this.#willing) this.#due.add(key);
    this.#willing = new Set();
  }
}
