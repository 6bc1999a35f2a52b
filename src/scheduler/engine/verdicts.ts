import type { NodeVerdict, Rejection } from "../framework/policy.js";

const limit = 100_000;

/** The codes of one policy's rejections, by reason where there is one, else by all of them. */
interface Codes {
  readonly cured: Map<string, number>;
  readonly hopeless: Map<string, number>;
  readonly several: Map<string, number>;
}

/** Rejections as small integers, so that a node's verdict is one number and tallies are counts. */
export class VerdictTable {
  readonly #codes = new Map<string, Codes>();
  readonly #verdicts: NodeVerdict[] = [{ policy: "", reasons: [] }];

  code(policy: string, rejection: Rejection): number {
    const { reasons, unresolvable = false } = rejection;
    const codes = this.#of(policy);
    const single = reasons.length === 1 ? reasons[0] : undefined;
    const id = single ?? JSON.stringify([unresolvable, reasons]);
    const known = single === undefined ? codes.several : unresolvable ? codes.hopeless : codes.cured;
    const code = known.get(id);
    if (code !== undefined) return code;
    // Built-in policies have few distinct rejections; one that invents a text per node would otherwise fill the memory.
    if (this.#verdicts.length >= limit && id !== tooMany)
      return this.code(policy, { ...rejection, reasons: [tooMany] });
    const made = this.#verdicts.push({ ...rejection, policy }) - 1;
    known.set(id, made);
    return made;
  }

  get(code: number): NodeVerdict {
    const verdict = this.#verdicts[code];
    if (verdict === undefined) throw new RangeError(`no verdict ${code}`);
    return verdict;
  }

  #of(policy: string): Codes {
    const known = this.#codes.get(policy);
    if (known !== undefined) return known;
    const made: Codes = { cured: new Map(), hopeless: new Map(), several: new Map() };
    this.#codes.set(policy, made);
    return made;
  }
}

const tooMany = "too many distinct reasons";
