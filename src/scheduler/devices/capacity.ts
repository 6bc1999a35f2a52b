import type { CapacityRequestPolicy, CapacityRequirements, Device, DeviceCapacity } from "../../api/index.js";
import { parseQuantity, Quantity } from "../../api/quantity.js";

/** Amounts by the name of the capacity. */
export type Capacities = ReadonlyMap<string, Quantity>;

const unit = 1_000_000_000n;

/**
 * What a request would have of each of the device's capacities: what it asks for, rounded up as the capacity's policy wants it; without
 * asking the policy's default, or all there is. `undefined`: the device cannot give that.
 */
export function consumption(device: Device, requirements: CapacityRequirements | undefined): Capacities | undefined {
  const capacities = device.capacity ?? {};
  const requests = requirements?.requests ?? {};
  if (Object.keys(requests).some((name) => !Object.hasOwn(capacities, name))) return undefined;
  const consumed = new Map<string, Quantity>();
  for (const [name, capacity] of Object.entries(capacities)) {
    const amount = amountOf(capacity, Object.hasOwn(requests, name) ? requests[name] : undefined);
    if (!allowed(amount, capacity.requestPolicy) || amount.compare(parseQuantity(capacity.value)) > 0) return undefined;
    consumed.set(name, amount);
  }
  return consumed;
}

/** Whether so much is left of each capacity, after what others have. */
export function isLeft(device: Device, amounts: Capacities, used: readonly Capacities[]): boolean {
  for (const [name, amount] of amounts) {
    const total = parseQuantity(device.capacity?.[name]?.value ?? "0");
    const sum = used.reduce((all, one) => all.add(one.get(name) ?? Quantity.zero), amount);
    if (sum.compare(total) > 0) return false;
  }
  return true;
}

function amountOf({ value, requestPolicy }: DeviceCapacity, request: string | undefined): Quantity {
  if (request === undefined) return parseQuantity(requestPolicy?.default ?? value);
  const asked = parseQuantity(request);
  const { validRange, validValues } = requestPolicy ?? {};
  if (validRange !== undefined) {
    const min = parseQuantity(validRange.min);
    if (asked.compare(min) < 0) return min;
    if (validRange.step === undefined) return asked;
    const step = parseQuantity(validRange.step);
    const [from, by] = [BigInt(min.value()), BigInt(step.value())];
    if (by <= 0n) return asked;
    const steps = (BigInt(asked.value()) - from + by - 1n) / by;
    return new Quantity((from + steps * by) * unit, step.format);
  }
  return validValues?.map(parseQuantity).find((valid) => asked.compare(valid) <= 0) ?? asked;
}

function allowed(amount: Quantity, policy: CapacityRequestPolicy | undefined): boolean {
  const { validRange, validValues = [], default: usual } = policy ?? {};
  if (usual !== undefined && amount.equals(parseQuantity(usual))) return true;
  if (validRange?.max !== undefined) return amount.compare(parseQuantity(validRange.max)) <= 0;
  return validValues.length === 0 || validValues.some((valid) => amount.equals(parseQuantity(valid)));
}
