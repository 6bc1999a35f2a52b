/** Completion indexes as text, `1,3-5`, of a Job of `completions`; what is out of range is left out. */
export function parseIndexes(text: string | undefined, completions: number): Set<number> {
  const indexes = new Set<number>();
  for (const part of (text ?? "").split(",")) {
    const match = /^([0-9]+)(?:-([0-9]+))?$/.exec(part);
    if (match === null) continue;
    const first = Number(match[1]);
    const last = Math.min(Number(match[2] ?? match[1]), completions - 1);
    for (let index = first; index <= last; index++) indexes.add(index);
  }
  return indexes;
}

/** The shortest text: runs of three or more as ranges, and of two as ranges too, as upstream writes them. */
export function formatIndexes(indexes: Iterable<number>): string {
  const parts: string[] = [];
  let [first, last]: [number | undefined, number] = [undefined, -1];
  const close = (): void => {
    if (first === undefined) return;
    parts.push(first === last ? String(first) : last === first + 1 ? `${first},${last}` : `${first}-${last}`);
  };
  for (const index of [...indexes].sort((a, b) => a - b)) {
    if (first !== undefined && index === last + 1) {
      last = index;
      continue;
    }
    close();
    [first, last] = [index, index];
  }
  close();
  return parts.join(",");
}
