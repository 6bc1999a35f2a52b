import type { Exec, ExecResult } from "../exec.js";
import { ProxyError } from "../proxy.js";
import type { TableName } from "./base-chains.js";
import type { IptablesProxyOptions } from "./iptables-options.js";

/** The programs of one address family. */
export class IptablesTools {
  readonly #exec: Exec;
  readonly #program: string;
  #chunked: boolean | undefined;

  constructor(exec: Exec, family: 4 | 6, variant: NonNullable<IptablesProxyOptions["variant"]>) {
    this.#exec = exec;
    this.#program = family === 4 ? variant : variant.replace("iptables", "ip6tables");
  }

  /** Whether large inputs are better given in pieces: the nft variant takes time by the square of their length. */
  async inPieces(signal?: AbortSignal): Promise<boolean> {
    if (this.#chunked === undefined) {
      const { stdout } = await this.#run(this.#program, ["--version"], { signal });
      this.#chunked = stdout.includes("nf_tables");
    }
    return this.#chunked;
  }

  async save(table: TableName, signal?: AbortSignal): Promise<string> {
    const { stdout } = await this.#run(`${this.#program}-save`, ["-t", table], { signal });
    return stdout;
  }

  async restore(input: string, signal?: AbortSignal): Promise<void> {
    await this.#run(`${this.#program}-restore`, ["-w", "5", "--noflush"], { stdin: input, signal });
  }

  async #run(
    command: string,
    args: readonly string[],
    options: { readonly stdin?: string; readonly signal?: AbortSignal | undefined },
  ): Promise<ExecResult> {
    let result: ExecResult;
    try {
      result = await this.#exec(command, args, options);
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "ENOENT") {
        throw new ProxyError("unsupported", `${command} is not installed (Debian's package iptables has it)`, {
          cause: error,
        });
      }
      throw error;
    }
    if (result.code !== 0) throw failure(command, result, options.stdin);
    return result;
  }
}

function failure(command: string, { code, stderr }: ExecResult, stdin: string | undefined): ProxyError {
  const said = stderr.trim().split("\n").slice(0, 3).join("; ").slice(0, 500);
  if (/must be root|Permission denied/.test(said))
    return new ProxyError("unsupported", `${command} needs root: ${said}`);
  const number = Number(/line:? (\d+)/i.exec(said)?.[1]);
  const line = Number.isInteger(number) ? stdin?.split("\n")[number - 1] : undefined;
  const where = line === undefined ? "" : ` (at ${JSON.stringify(line.slice(0, 300))})`;
  return new ProxyError("failed", `${command} ended with ${code}: ${said}${where}`);
}
