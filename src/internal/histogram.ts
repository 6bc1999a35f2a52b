/** Observations by upper bounds, in Prometheus' sense. */
export class Histogram {
  #sum = 0;
  #count = 0;
  readonly #bounds: readonly number[];
  /** In each bucket alone. */
  readonly #counts: number[];

  /** `bounds` in ascending order. */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = new Array<number>(bounds.length).fill(0);
  }

  observe(value: number): void {
    this.#sum += value;
    this.#count++;
    const at = this.#bounds.findIndex((bound) => value <= bound);
    if (at >= 0) this.#counts[at] = (this.#counts[at] ?? 0) + 1;
  }

  /** Nothing where there are labels and nothing was observed. */
  write(lines: string[], name: string, labels: string): void {
    if (this.#count === 0 && labels !== "") return;
    const more = labels === "" ? "" : `${labels},`;
    let below = 0;
    for (const [at, bound] of this.#bounds.entries()) {
      below += this.#counts[at] ?? 0;
      lines.push(`${name}_bucket{${more}le="${bound}"} ${below}`);
    }
    lines.push(`${name}_bucket{${more}le="+Inf"} ${this.#count}`);
    const all = labels === "" ? "" : `{${labels}}`;
    lines.push(`${name}_sum${all} ${this.#sum}`, `${name}_count${all} ${this.#count}`);
  }
}

/** What stands before the samples of a metric. */
export function family(lines: string[], name: string, type: string, help: string): void {
  lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
}
