/** What completion indexes as text, `1,3-5`, say: how many there are, or why they say nothing. */
export type IndexesFormat = { readonly total: number; readonly intervals: readonly Interval[] } | string;

type Interval = readonly [first: number, last: number];

export function readIndexes(text: string, completions: number): IndexesFormat {
  const intervals: Interval[] = [];
  if (text === "") return { total: 0, intervals };
  let total = 0;
  let previous: number | undefined;
  for (const part of text.split(",")) {
    const interval = readInterval(part, completions);
    if (typeof interval === "string") return interval;
    const [first, last] = interval;
    if (previous !== undefined && previous >= first) return outOfOrder(previous, first);
    previous = last;
    total += last - first + 1;
    intervals.push(interval);
  }
  return { total, intervals };
}

function readInterval(part: string, completions: number): Interval | string {
  const limits = part.split("-");
  if (limits.length > 2) {
    const why = "violates the requirement that an index interval can have at most two parts separated by '-'";
    return `the fragment ${JSON.stringify(part)} ${why}`;
  }
  const numbers: number[] = [];
  for (const limit of limits) {
    if (!/^[0-9]+$/.test(limit)) return `cannot convert string to integer for index: ${JSON.stringify(limit)}`;
    if (Number(limit) >= completions) return `too large index: ${JSON.stringify(limit)}`;
    numbers.push(Number(limit));
  }
  const [first = 0, last] = numbers;
  if (last === undefined) return [first, first];
  return first >= last ? outOfOrder(first, last) : [first, last];
}

function outOfOrder(previous: number, current: number): string {
  return `non-increasing order, previous: ${previous}, current: ${current}`;
}

/** The lowest index that both have. */
export function overlap(some: readonly Interval[], others: readonly Interval[]): number | undefined {
  for (const [first, last] of some) {
    for (const [start, end] of others) if (first <= end && start <= last) return Math.max(first, start);
  }
  return undefined;
}
