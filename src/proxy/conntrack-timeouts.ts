import { type Logger, silentLogger } from "../internal/logger.js";
import type { Exec } from "./exec.js";

/** In seconds, as kube-proxy sets them. */
const wanted: ReadonlyMap<string, number> = new Map([
  // An hour instead of a minute: a connection that one side has closed may be written to for long by the other.
  ["net.netfilter.nf_conntrack_tcp_timeout_close_wait", 3600],
  // A day instead of five.
  ["net.netfilter.nf_conntrack_tcp_timeout_established", 86_400],
]);

/** How long the kernel remembers TCP connections that it forwards; a forgotten one breaks when it is used again. */
export class ConntrackTimeouts {
  readonly #exec: Exec;
  readonly #logger: Logger;
  /** What was there before. */
  readonly #before = new Map<string, number>();
  #warned = false;

  constructor(exec: Exec, logger: Logger = silentLogger) {
    this.#exec = exec;
    this.#logger = logger;
  }

  /** Makes them what they should be. Best effort: what fails is logged, once. */
  async hold(signal?: AbortSignal): Promise<void> {
    try {
      const now = await this.#read(signal);
      const other = [...now].filter(([name, seconds]) => wanted.get(name) !== seconds);
      await this.#write(new Map(other.map(([name]) => [name, wanted.get(name) ?? 0])), signal);
      for (const [name, seconds] of other) if (!this.#before.has(name)) this.#before.set(name, seconds);
    } catch (error) {
      if (signal?.aborted) throw error;
      if (!this.#warned) this.#logger.warn("timeouts of TCP connections could not be set", { error });
      this.#warned = true;
    }
  }

  /** Gives back those that are still what `hold` made them. */
  async release(): Promise<void> {
    if (this.#before.size === 0) return;
    try {
      const now = await this.#read();
      await this.#write(new Map([...this.#before].filter(([name]) => now.get(name) === wanted.get(name))));
    } catch (error) {
      this.#logger.warn("timeouts of TCP connections could not be given back", { error });
    }
    this.#before.clear();
  }

  async #read(signal?: AbortSignal): Promise<ReadonlyMap<string, number>> {
    const names = [...wanted.keys()];
    const lines = (await this.#sysctl(["-n", ...names], signal)).split("\n");
    return new Map(names.map((name, index) => [name, Number(lines[index])]));
  }

  async #write(values: ReadonlyMap<string, number>, signal?: AbortSignal): Promise<void> {
    if (values.size === 0) return;
    await this.#sysctl(["-q", "-w", ...[...values].map(([name, seconds]) => `${name}=${seconds}`)], signal);
  }

  async #sysctl(args: readonly string[], signal?: AbortSignal): Promise<string> {
    const { code, stdout, stderr } = await this.#exec("sysctl", args, { signal });
    if (code !== 0) throw new Error(`sysctl ended with ${code}: ${stderr.trim()}`);
    return stdout;
  }
}
