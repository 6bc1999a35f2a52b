import type { FieldError } from "../field-error.js";

/** How many checks are made before others get their turn. */
const checksInTurn = 20_000;

/** Checks one of several values, and gives the number of checks that it took. */
type CheckOne<T> = (value: T, index: number, errors: FieldError[]) => number;

interface Task {
  /** Where the errors of the task belong: into which list, and before which of its errors. */
  readonly into: FieldError[];
  readonly at: number;
  readonly found: FieldError[];
  readonly checks: Iterator<number>;
}

/** The checks of long lists and maps, which are made after all others so that they can be left and gone on with. */
export class PutOff {
  readonly #tasks: Task[] = [];

  /** The errors end up where `into` ends now. */
  add<T>(into: FieldError[], values: readonly T[], check: CheckOne<T>): void {
    const found: FieldError[] = [];
    this.#tasks.push({ into, at: into.length, found, checks: checksOf(values, check, found) });
  }

  /** Makes the checks, and those that they put off in turn. Yields now and then. */
  *finish(): Generator<undefined, void> {
    let count = 0;
    for (const { checks } of this.#tasks) {
      for (let step = checks.next(); step.done !== true; step = checks.next()) {
        count += step.value;
        if (count < checksInTurn) continue;
        yield undefined;
        count = 0;
      }
    }
    for (const { into, at, found } of this.#tasks.toReversed()) into.splice(at, 0, ...found);
  }
}

function* checksOf<T>(values: readonly T[], check: CheckOne<T>, found: FieldError[]): Generator<number> {
  for (const [index, value] of values.entries()) yield check(value, index, found);
}
