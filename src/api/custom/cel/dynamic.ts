import { isJsonObject } from "../../json-value.js";
import type { Steps } from "./steps.js";

/** How many values are converted before others get their turn. */
const valuesInTurn = 20_000;

/** A value without a schema as expressions see it: whole numbers are integers. */
export function dynamicValue(value: unknown): unknown {
  if (typeof value === "number") return Number.isInteger(value) ? BigInt(value) : value;
  if (Array.isArray(value)) return value.map(dynamicValue);
  if (!isJsonObject(value)) return value;
  const map = new Map<string, unknown>();
  for (const key of Object.keys(value)) map.set(key, dynamicValue(value[key]));
  return map;
}

/** The same, but yields now and then: an object may be big. */
export function* dynamicSteps(value: unknown): Steps {
  return yield* converted(value, { left: valuesInTurn });
}

function* converted(value: unknown, turn: { left: number }): Steps {
  const size = sizeUpTo(valuesInTurn, value);
  if (size < valuesInTurn) {
    turn.left -= size;
    if (turn.left < 0) {
      turn.left = valuesInTurn;
      yield undefined;
    }
    return dynamicValue(value);
  }
  if (Array.isArray(value)) {
    const list: unknown[] = [];
    for (const item of value) list.push(yield* converted(item, turn));
    return list;
  }
  const map = new Map<string, unknown>();
  if (isJsonObject(value)) for (const key of Object.keys(value)) map.set(key, yield* converted(value[key], turn));
  return map;
}

/** How many values there are in one, as far as it is below a limit. */
function sizeUpTo(limit: number, value: unknown): number {
  if (typeof value !== "object" || value === null) return 1;
  let size = 1;
  for (const inner of Array.isArray(value) ? value : Object.values(value)) {
    size += sizeUpTo(limit - size, inner);
    if (size >= limit) break;
  }
  return size;
}
