import type { Exec } from "../exec.js";
import { must } from "./run.js";
import type { TableName } from "./table-edit.js";

/** `iptables` is whichever of the two is the host's default. */
export type IptablesVariant = "iptables" | "iptables-nft" | "iptables-legacy";

/** The programs of one address family. */
export class IptablesTools {
  readonly #exec: Exec;
  readonly #program: string;
  #inPieces: boolean | undefined;

  constructor(exec: Exec, family: 4 | 6, variant: IptablesVariant) {
    this.#exec = exec;
    this.#program = family === 4 ? variant : variant.replace("iptables", "ip6tables");
  }

  /** Whether large inputs are better given in pieces: the nft variant takes time by the square of their length. */
  async inPieces(signal?: AbortSignal): Promise<boolean> {
    this.#inPieces ??= (await must(this.#exec, this.#program, ["--version"], { signal })).includes("nf_tables");
    return this.#inPieces;
  }

  save(table: TableName, signal?: AbortSignal): Promise<string> {
    return must(this.#exec, `${this.#program}-save`, ["-t", table], { signal });
  }

  async restore(input: string, signal?: AbortSignal): Promise<void> {
    await must(this.#exec, `${this.#program}-restore`, ["-w", "5", "--noflush"], { stdin: input, signal });
  }
}
