export const cpuPeriodUs = 100_000;
const minShares = 2;
const maxShares = 262_144;
const minQuotaUs = 1000;

/** CPU requests as weights between neighbours, as upstream computes them. */
export function cpuShares(cpuMillis: number): number {
  return Math.min(maxShares, Math.max(minShares, Math.floor((cpuMillis * 1024) / 1000)));
}

/** CPU limits as time in each period. */
export function cpuQuotaUs(cpuMillis: number): number {
  return Math.max(minQuotaUs, (cpuMillis * cpuPeriodUs) / 1000);
}
