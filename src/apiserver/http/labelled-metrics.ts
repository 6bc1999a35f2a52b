import { family, Histogram } from "../../internal/histogram.js";

/** Counts by labels, whose values must come from a known set, so that the series stay few. */
export class LabelledCounter {
  readonly #name: string;
  readonly #help: string;
  readonly #labels: readonly string[];
  readonly #counts = new Map<string, number>();

  constructor(name: string, help: string, labels: readonly string[]) {
    this.#name = name;
    this.#help = help;
    this.#labels = labels;
  }

  /** `values` are those of the labels, in their order. */
  add(...values: readonly string[]): void {
    const key = keyOf(values);
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
  }

  write(lines: string[]): void {
    if (this.#counts.size === 0) return;
    family(lines, this.#name, "counter", this.#help);
    for (const [key, count] of this.#counts) lines.push(`${this.#name}{${labelText(this.#labels, key)}} ${count}`);
  }
}

/** Observations by labels, as LabelledCounter has them. */
export class LabelledHistogram {
  readonly #name: string;
  readonly #help: string;
  readonly #labels: readonly string[];
  readonly #bounds: readonly number[];
  readonly #series = new Map<string, Histogram>();

  constructor(name: string, help: string, labels: readonly string[], bounds: readonly number[]) {
    this.#name = name;
    this.#help = help;
    this.#labels = labels;
    this.#bounds = bounds;
  }

  observe(value: number, ...values: readonly string[]): void {
    const key = keyOf(values);
    let series = this.#series.get(key);
    if (series === undefined) {
      series = new Histogram(this.#bounds);
      this.#series.set(key, series);
    }
    series.observe(value);
  }

  write(lines: string[]): void {
    if (this.#series.size === 0) return;
    family(lines, this.#name, "histogram", this.#help);
    for (const [key, series] of this.#series) series.write(lines, this.#name, labelText(this.#labels, key));
  }
}

const between = "\0";

/** Counted far more often than it is read: the text of the labels is made when it is read. */
function keyOf(values: readonly string[]): string {
  return values.length === 1 ? (values[0] ?? "") : values.join(between);
}

function labelText(labels: readonly string[], key: string): string {
  const values = key.split(between);
  return labels.map((label, index) => `${label}=${JSON.stringify(values[index] ?? "")}`).join(",");
}
