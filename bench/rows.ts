/** One figure, with what the machine can do at best in the same run. `ratio` says how near: 1 is as good as bare. */
export interface Row {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** What stands beside it, in the same unit. */
  readonly baseline: number;
  readonly ratio: number;
}

export type Bench = () => Promise<readonly Row[]>;

/** More is better: requests a second. */
export function rate(name: string, value: number, unit: string, baseline: number): Row {
  return { name, value, unit, baseline, ratio: value / baseline };
}

/** Less is better: time, memory. */
export function cost(name: string, value: number, unit: string, baseline: number): Row {
  return { name, value, unit, baseline, ratio: baseline / value };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}

/** Runs both a few times in turn, because machines are noisy, and gives the median of each. */
export async function alternate(
  rounds: number,
  ours: () => Promise<number>,
  bare: () => Promise<number>,
): Promise<{ readonly ours: number; readonly bare: number }> {
  const measured: { ours: number[]; bare: number[] } = { ours: [], bare: [] };
  for (let round = 0; round < rounds; round++) {
    measured.bare.push(await bare());
    measured.ours.push(await ours());
  }
  return { ours: median(measured.ours), bare: median(measured.bare) };
}

/** Microseconds of this process's CPU for each of `count` units of work. */
export async function cpuPer(count: number, work: () => Promise<unknown> | unknown): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / count;
}
