const pattern =
  /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?$/;

/** A version by semver.org 2.0.0, in its order. */
export class Semver {
  readonly major: number;
  readonly minor: number;
  readonly patch: number;
  readonly #before: readonly string[];

  private constructor(major: number, minor: number, patch: number, before: readonly string[]) {
    this.major = major;
    this.minor = minor;
    this.patch = patch;
    this.#before = before;
  }

  /** Throws Error. */
  static parse(text: string): Semver {
    const version = Semver.tryParse(text);
    if (version === undefined) throw new Error(`${JSON.stringify(text)} is no semantic version`);
    return version;
  }

  static tryParse(text: string): Semver | undefined {
    const [whole, major, minor, patch, before] = pattern.exec(text.slice(0, 256)) ?? [];
    if (whole === undefined) return undefined;
    return new Semver(Number(major), Number(minor), Number(patch), before?.split(".") ?? []);
  }

  compare(other: Semver): number {
    return (
      Math.sign(this.major - other.major) ||
      Math.sign(this.minor - other.minor) ||
      Math.sign(this.patch - other.patch) ||
      compareBefore(this.#before, other.#before)
    );
  }
}

/** A version without a pre-release comes after all of its pre-releases. */
function compareBefore(a: readonly string[], b: readonly string[]): number {
  if (a.length === 0 || b.length === 0) return Math.sign(b.length - a.length);
  for (let index = 0; index < Math.max(a.length, b.length); index++) {
    const [x, y] = [a[index], b[index]];
    if (x === undefined || y === undefined) return x === undefined ? -1 : 1;
    if (x === y) continue;
    const numeric = [x, y].map((part) => /^\d+$/.test(part));
    if (numeric[0] && numeric[1]) return Math.sign(Number(x) - Number(y));
    if (numeric[0] !== numeric[1]) return numeric[0] ? -1 : 1;
    return x < y ? -1 : 1;
  }
  return 0;
}
