import { Meter } from "../../api/custom/cel/budget.js";
import { parseSemver } from "../../api/custom/cel/library-semver.js";
import { celEnvironment, compileProgram, type Program } from "../../api/custom/cel/program.js";
import { atOnce } from "../../api/custom/cel/steps.js";
import type { Device, DeviceSelector } from "../../api/index.js";
import { tryParseQuantity } from "../../api/quantity.js";

/** What upstream lets one evaluation cost. */
const maxCost = 1_000_000;
const rememberedPrograms = 1000;

/** An expression that cannot be compiled, or that failed on a device. */
export class SelectorError extends Error {
  override readonly name = "SelectorError";
}

/** Evaluates the CEL expressions by which claims and classes choose among devices. */
export class DeviceSelectors {
  readonly #meter = new Meter();
  readonly #environment = celEnvironment(this.#meter);
  readonly #programs = new Map<string, Program>();
  /** The `device` variable of devices that were looked at. */
  readonly #variables = new WeakMap<Device, object>();

  constructor() {
    this.#environment.registerVariable("device", "dyn");
  }

  /** Whether the device is what all of the selectors want. Throws SelectorError. */
  match(device: Device, driver: string, selectors: readonly DeviceSelector[] | undefined): boolean {
    for (const { cel } of selectors ?? []) {
      if (cel === undefined) continue;
      if (!this.#holds(cel.expression, device, driver)) return false;
    }
    return true;
  }

  #holds(expression: string, device: Device, driver: string): boolean {
    try {
      const program = this.#program(expression);
      return atOnce(program.run({ device: this.#variable(device, driver) }, maxCost)) === true;
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new SelectorError(`CEL expression ${JSON.stringify(expression)}: ${why}`, { cause: error });
    }
  }

  #program(expression: string): Program {
    let program = this.#programs.get(expression);
    if (program === undefined) {
      program = compileProgram(this.#environment, expression, this.#meter);
      if (this.#programs.size >= rememberedPrograms) this.#programs.clear();
      this.#programs.set(expression, program);
    }
    return program;
  }

  #variable(device: Device, driver: string): object {
    let variable = this.#variables.get(device);
    if (variable === undefined) {
      variable = {
        driver,
        allowMultipleAllocations: device.allowMultipleAllocations ?? false,
        attributes: byDomain(device.attributes ?? {}, driver, ({ bool, int, string, version }) =>
          int !== undefined ? BigInt(int) : version !== undefined ? parseSemver(version) : (bool ?? string),
        ),
        capacity: byDomain(device.capacity ?? {}, driver, ({ value }) => tryParseQuantity(value)),
      };
      this.#variables.set(device, variable);
    }
    return variable;
  }
}

/** Names without a domain are in the driver's. A domain that the device knows nothing of is empty. */
function byDomain<T>(
  values: { readonly [name: string]: T },
  driver: string,
  of: (value: T) => unknown,
): ReadonlyMap<string, ReadonlyMap<string, unknown>> {
  const domains = new Map<string, Map<string, unknown>>();
  for (const [name, value] of Object.entries(values)) {
    const slash = name.indexOf("/");
    const domain = slash < 0 ? driver : name.slice(0, slash);
    const inner = domains.get(domain) ?? new Map<string, unknown>();
    domains.set(domain, inner.set(name.slice(slash + 1), of(value)));
  }
  // The language takes maps for what they are made by, so that this one cannot be of a class of its own.
  const known = domains.get.bind(domains);
  domains.get = (domain) => known(domain) ?? new Map();
  domains.has = () => true;
  return domains;
}
