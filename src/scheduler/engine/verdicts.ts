import type { NodeVerdict, Rejection } from "../framework/policy.js";

const limit = 100_000;

/** Rejections as small integers, so that a node's verdict is one number and tallies are counts. */
export class VerdictTable {
  readonly #codes = new Map<string, number>();
  readonly #verdicts: NodeVerdict[] = [{ policy: "", reasons: [] }];

  code(policy: string, rejection: Rejection): number {
    const id = JSON.stringify([policy, rejection.unresolvable === true, rejection.reasons]);
    const known = this.#codes.get(id);
    if (known !== undefined) return known;
    // Built-in policies have few distinct rejections; one that invents a text per node would otherwise fill the memory.
    if (this.#verdicts.length >= limit)
      return this.code(policy, { ...rejection, reasons: ["too many distinct reasons"] });
    const code = this.#verdicts.push({ ...rejection, policy }) - 1;
    this.#codes.set(id, code);
    return code;
  }

  get(code: number): NodeVerdict {
    const verdict = this.#verdicts[code];
    if (verdict === undefined) throw new RangeError(`no verdict ${code}`);
    return verdict;
  }
}
