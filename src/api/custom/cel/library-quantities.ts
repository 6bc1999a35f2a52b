import type { Environment } from "@marcbachmann/cel-js";
import { Quantity, tryParseQuantity } from "../../quantity.js";
import type { Define } from "./library.js";

const nano = 1_000_000_000n;

function parse(text: string): Quantity {
  const quantity = tryParseQuantity(text);
  if (quantity === undefined) {
    throw new Error("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'");
  }
  return quantity;
}

/** quantity() and what can be asked of one. */
export function registerQuantities(define: Define, environment: Environment): void {
  environment.registerType("Quantity", { ctor: Quantity, fields: {} });
  define("quantity(string): Quantity", parse);
  define("isQuantity(string): bool", (text: string) => tryParseQuantity(text) !== undefined);
  define("Quantity.isInteger(): bool", (quantity: Quantity) => quantity.nanos % nano === 0n);
  define("Quantity.asInteger(): int", (quantity: Quantity) => {
    if (quantity.nanos % nano !== 0n) throw new Error("cannot convert value to integer");
    return quantity.nanos / nano;
  });
  define("Quantity.asApproximateFloat(): double", (quantity: Quantity) => quantity.toNumber());
  define("Quantity.sign(): int", (quantity: Quantity) => BigInt(quantity.sign));
  define("Quantity.compareTo(Quantity): int", (a: Quantity, b: Quantity) => BigInt(a.compare(b)));
  define("Quantity.isGreaterThan(Quantity): bool", (a: Quantity, b: Quantity) => a.compare(b) > 0);
  define("Quantity.isLessThan(Quantity): bool", (a: Quantity, b: Quantity) => a.compare(b) < 0);
  define("Quantity.add(Quantity): Quantity", (a: Quantity, b: Quantity) => a.add(b));
  define("Quantity.add(int): Quantity", (a: Quantity, b: bigint) => a.add(new Quantity(b * nano, a.format)));
  define("Quantity.sub(Quantity): Quantity", (a: Quantity, b: Quantity) => a.sub(b));
  define("Quantity.sub(int): Quantity", (a: Quantity, b: bigint) => a.sub(new Quantity(b * nano, a.format)));
  environment.registerOperator("Quantity == Quantity", (a: Quantity, b: Quantity) => a.equals(b));
}
