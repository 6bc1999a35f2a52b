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
      for (const [name, seconds] of wanted) {
        const now = Number((await this.#sysctl(["-n", name], signal)).trim());
        if (now === seconds) continue;
        await this.#sysctl(["-q", "-w", `${name}=${seconds}`], signal);
        if (!this.#before.has(name)) this.#before.set(name, now);
      }
    } catch (error) {
      if (signal?.aborted) throw error;
      if (!this.#warned) this.#logger.warn("timeouts of TCP connections could not be set", { error });
      this.#warned = true;
    }
  }

  /** Gives back those that are still what `hold` made them. */
  async release(): Promise<void> {
    try {
      for (const [name, seconds] of this.#before) {
        const now = Number((await this.#sysctl(["-n", name])).trim());
        if (now === wanted.get(name)) await this.#sysctl(["-q", "-w", `${name}=${seconds}`]);
      }
    } catch (error) {
      this.#logger.warn("timeouts of TCP connections could not be given back", { error });
    }
    this.#before.clear();
  }

  async #sysctl(args: readonly string[], signal?: AbortSignal): Promise<string> {
    const { code, stdout, stderr } = await this.#exec("sysctl", args, { signal });
    if (code !== 0) throw new Error(`sysctl ended with ${code}: ${stderr.trim()}`);
    return stdout;
  }
}
