/** The seats of a priority level. The names are those of the field: nominal, minimum and maximum concurrency limit. */
export interface SeatLimits {
  /** Its part of the server's seats, by its shares. */
  readonly nominal: number;
  /** What it keeps when it lends all that it may. */
  readonly min: number;
  readonly max: number;
}

export interface LevelShares {
  readonly shares: number;
  /** Of the nominal limit. */
  readonly lendablePercent: number;
  /** Of the nominal limit; undefined: as much as there is. */
  readonly borrowingLimitPercent: number | undefined;
}

/** Divides the server's seats by shares, rounded up as upstream does. */
export function seatLimits(level: LevelShares, shareSum: number, serverSeats: number): SeatLimits {
  const nominal = shareSum === 0 ? 0 : Math.ceil((serverSeats * level.shares) / shareSum);
  const part = (percent: number): number => Math.round((nominal * percent) / 100);
  const { borrowingLimitPercent } = level;
  const borrowable = borrowingLimitPercent === undefined ? serverSeats : part(borrowingLimitPercent);
  return { nominal, min: nominal - part(level.lendablePercent), max: nominal + borrowable };
}

export interface Claim extends SeatLimits {
  /** Not limited: what it wants is taken from the others. */
  readonly exempt: boolean;
  /** The most seats that it wanted at once in the last period. */
  readonly highWatermark: number;
  readonly smoothed: number;
}

/**
 * The limits of the next period, in the order of the claims: seats go to where they are wanted, as far as levels may lend and borrow
 * (KEP-1040). Each level is sure of what it used lately up to its nominal limit, and beyond that all get the same fraction of what
 * they want. Where exempt requests leave too little for that, levels keep at least what they do not lend.
 */
export function adjustedLimits(claims: readonly Claim[]): readonly number[] {
  const total = claims.reduce((sum, { nominal }) => sum + nominal, 0);
  const limited = claims.filter(({ exempt }) => !exempt);
  const exemptSeats = (claim: Claim): number => Math.max(claim.min, claim.highWatermark);
  const left = total - claims.filter(({ exempt }) => exempt).reduce((sum, claim) => sum + exemptSeats(claim), 0);
  const sure = (claim: Claim): number => Math.max(claim.min, Math.min(claim.nominal, claim.highWatermark));
  const minSum = limited.reduce((sum, { min }) => sum + min, 0);
  const sureSum = limited.reduce((sum, claim) => sum + sure(claim), 0);
  let limitOf: (claim: Claim) => number;
  if (minSum >= left) {
    limitOf = ({ min }) => min;
  } else if (sureSum >= left) {
    const fraction = (left - minSum) / (sureSum - minSum);
    limitOf = (claim) => claim.min + (sure(claim) - claim.min) * fraction;
  } else {
    const shares = limited.map((claim) => ({
      low: sure(claim),
      high: claim.max,
      target: Math.max(sure(claim), claim.smoothed),
    }));
    const allotted = allot(left, shares);
    limitOf = (claim) => allotted[limited.indexOf(claim)] as number;
  }
  return claims.map((claim) => Math.round(claim.exempt ? exemptSeats(claim) : limitOf(claim)));
}

interface Share {
  readonly low: number;
  readonly high: number;
  readonly target: number;
}

/** Stands for a target of zero, so that even who wants nothing gets a part of what nobody wants. */
const minTarget = 0.001;

/**
 * Divides `total` so that each gets the same multiple of its target, but no less than `low` and no more than `high`. What all have
 * together grows with the multiple, in straight lines between the multiples at which somebody meets a bound: the answer lies on one of them.
 */
function allot(total: number, shares: readonly Share[]): readonly number[] {
  const at = (multiple: number): readonly number[] =>
    shares.map(({ low, high, target }) => Math.min(high, Math.max(low, multiple * Math.max(target, minTarget))));
  const sumAt = (multiple: number): number => at(multiple).reduce((sum, seats) => sum + seats, 0);
  const corners = shares
    .flatMap(({ low, high, target }) => [low / Math.max(target, minTarget), high / Math.max(target, minTarget)])
    .sort((a, b) => a - b);
  let below = 0;
  for (const corner of corners) {
    const sum = sumAt(corner);
    if (sum >= total) {
      const sumBelow = sumAt(below);
      const part = sum === sumBelow ? 0 : (total - sumBelow) / (sum - sumBelow);
      return at(below + (corner - below) * part);
    }
    below = corner;
  }
  return at(below);
}
