/** An int-or-string of a rollout: a count, or a share of `total` as `25%`. Unreadable text counts as 0. */
export function scaledValue(
  value: number | string | undefined,
  total: number,
  round: "up" | "down",
  absent = 0,
): number {
  if (value === undefined) return absent;
  if (typeof value === "number") return value;
  const match = /^(\d+)(%?)$/.exec(value);
  if (match === null) return 0;
  if (match[2] === "") return Number(match[1]);
  const share = (Number(match[1]) * total) / 100;
  return round === "up" ? Math.ceil(share) : Math.floor(share);
}
