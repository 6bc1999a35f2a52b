import { Meter } from "../../custom/cel/budget.js";
import { CompileError } from "../../custom/cel/compile-errors.js";
import { celEnvironment, compileProgram } from "../../custom/cel/program.js";
import { invalid, tooLong } from "../../field-error.js";
import type { Errors } from "../checks.js";

const maxBytes = 10 * 1024;

class DeviceValue {}

/** Says of expressions whether they compile for a device, and answer yes or no. There is no device here to ask them of. */
export class DeviceExpressions {
  readonly #meter = new Meter();
  readonly #environment = celEnvironment(this.#meter);

  constructor() {
    this.#environment.registerType("Device", {
      ctor: DeviceValue,
      fields: {
        driver: "string",
        allowMultipleAllocations: "bool",
        attributes: "map<string, map<string, dyn>>",
        capacity: "map<string, map<string, Quantity>>",
      },
    });
    this.#environment.registerVariable("device", "Device");
  }

  check(errors: Errors, path: string, expression: string): void {
    if (Buffer.byteLength(expression) > maxBytes) {
      errors.push(tooLong(path, maxBytes));
      return;
    }
    try {
      const { type } = compileProgram(this.#environment, expression, this.#meter);
      if (type === "bool" || type === "dyn") return;
      errors.push(invalid(path, expression, `must evaluate to bool or the unknown type, not ${type}`));
    } catch (error) {
      if (!(error instanceof CompileError)) throw error;
      errors.push(invalid(path, expression, `compilation failed: ${error.message}`));
    }
  }
}
