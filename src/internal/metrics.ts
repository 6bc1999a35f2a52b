import { family, Histogram } from "./histogram.js";

type Values = readonly string[];

interface Family {
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly help: string;
  write(lines: string[]): void;
}

/** Figures in Prometheus' text format. Values of labels must come from a small set: each combination is kept for good. */
export class Metrics {
  readonly #families: Family[] = [];

  counter(name: string, help: string, labels: readonly string[] = []): { add(values?: Values, by?: number): void } {
    const samples = this.#samples(name, "counter", help, labels);
    const text = texts(labels);
    return {
      add(values = [], by = 1) {
        const series = text(values);
        samples.set(series, (samples.get(series) ?? 0) + by);
      },
    };
  }

  gauge(name: string, help: string, labels: readonly string[] = []): { set(value: number, values?: Values): void } {
    const samples = this.#samples(name, "gauge", help, labels);
    const text = texts(labels);
    return { set: (value, values = []) => void samples.set(text(values), value) };
  }

  /** `bounds` in ascending order. */
  histogram(
    name: string,
    help: string,
    bounds: readonly number[],
    labels: readonly string[] = [],
  ): { observe(value: number, values?: Values): void } {
    const all = new Map<string, Histogram>();
    if (labels.length === 0) all.set("", new Histogram(bounds));
    const write = (lines: string[]): void => {
      for (const [series, histogram] of all) histogram.write(lines, name, series);
    };
    this.#families.push({ name, type: "histogram", help, write });
    const text = texts(labels);
    return {
      observe(value, values = []) {
        const series = text(values);
        const histogram = all.get(series) ?? new Histogram(bounds);
        all.set(series, histogram);
        histogram.observe(value);
      },
    };
  }

  /** All of them, by name. Families without samples are left out. */
  lines(): string[] {
    const result: string[] = [];
    for (const { name, type, help, write } of [...this.#families].sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const samples: string[] = [];
      write(samples);
      if (samples.length === 0) continue;
      family(result, name, type, help);
      result.push(...samples);
    }
    return result;
  }

  #samples(name: string, type: "counter" | "gauge", help: string, labels: readonly string[]): Map<string, number> {
    const samples = new Map<string, number>();
    if (labels.length === 0) samples.set("", 0);
    const write = (lines: string[]): void => {
      for (const [series, value] of samples) lines.push(`${name}${series === "" ? "" : `{${series}}`} ${value}`);
    };
    this.#families.push({ name, type, help, write });
    return samples;
  }
}

/** `count` bounds, each `factor` times the one before. */
export function exponentialBounds(start: number, factor: number, count: number): readonly number[] {
  return Array.from({ length: count }, (_, step) => Number((start * factor ** step).toPrecision(15)));
}

/** Gives the text of a series, put together once: some are counted with every request. */
function texts(labels: readonly string[]): (values: Values) => string {
  const known = new Map<string, string>();
  return (values) => {
    const key = values.length === 1 ? (values[0] ?? "") : values.join("\0");
    let text = known.get(key);
    if (text === undefined) {
      text = labels.map((label, index) => `${label}=${JSON.stringify(values[index] ?? "")}`).join(",");
      known.set(key, text);
    }
    return text;
  };
}
