import { duplicate, type FieldError, forbidden, invalid, notSupported, required } from "../../field-error.js";
import type { Node, Taint } from "../../gen/types.js";
import { validateLabelValue } from "../../names.js";
import { checkQualifiedName, type Errors } from "../checks.js";
import { checkCidr, cidrFamily } from "../ip.js";
import { entriesOf, type Loose } from "../loose.js";
import { checkResourceQuantity } from "./resource-names.js";

export const taintEffects: readonly string[] = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

export function validateNode(node: Loose<Node>): readonly FieldError[] {
  const errors: Errors = [];
  // The path is upstream's.
  checkTaints(errors, "metadata.taints", node.spec?.taints ?? []);
  for (const field of ["capacity", "allocatable"] as const) {
    for (const [name, value] of entriesOf(node.status?.[field])) {
      checkResourceQuantity(errors, `status.${field}.${name}`, name, value);
    }
  }
  return errors;
}

/** The ranges of a new node. Those of an old one are as they were, or were checked when it got them. */
export function validateNewNode(node: Loose<Node>): readonly FieldError[] {
  const errors: Errors = [];
  const ranges = node.spec?.podCIDRs ?? [];
  ranges.forEach((range, index) => {
    checkCidr(errors, `spec.podCIDRs[${index}]`, range);
  });
  if (ranges.length > 1) {
    if (ranges.length > 2 || cidrFamily(ranges[0] ?? "") === cidrFamily(ranges[1] ?? "")) {
      errors.push(invalid("spec.podCIDRs", ranges, "may specify no more than one CIDR for each IP family"));
    }
    ranges.forEach((range, index) => {
      if (ranges.indexOf(range) < index) errors.push(duplicate(`spec.podCIDRs[${index}]`, range));
    });
  }
  return errors;
}

function checkTaints(errors: Errors, path: string, taints: readonly Loose<Taint>[]): void {
  const seen = new Set<string>();
  taints.forEach((taint, index) => {
    const at = `${path}[${index}]`;
    const { key = "", value = "", effect = "" } = taint;
    checkQualifiedName(errors, `${at}.key`, key);
    const messages = validateLabelValue(value);
    if (messages.length > 0) errors.push(invalid(`${at}.value`, value, messages.join(";")));
    if (effect === "") errors.push(required(`${at}.effect`));
    else if (!taintEffects.includes(effect)) errors.push(notSupported(`${at}.effect`, effect, taintEffects));
    const pair = `${key}:${effect}`;
    if (seen.has(pair)) errors.push(duplicate(at, taint, "taints must be unique by key and effect pair"));
    seen.add(pair);
  });
}

export function validateNodeUpdate(node: Loose<Node>, old: Loose<Node>): readonly FieldError[] {
  const errors: Errors = [];
  checkAddresses(errors, node);
  const before = old.spec?.podCIDRs ?? [];
  const now = node.spec?.podCIDRs ?? [];
  const why = 'node updates may not change podCIDR except from "" to valid';
  if (before.length > 0) {
    const changes = now.length === before.length ? before.filter((range, index) => range !== now[index]).length : 1;
    for (let change = 0; change < changes; change++) errors.push(forbidden("spec.podCIDRs", why));
  }
  if (old.spec?.providerID && old.spec.providerID !== node.spec?.providerID) {
    errors.push(forbidden("spec.providerID", 'node updates may not change providerID except from "" to valid'));
  }
  if ((node.spec?.externalID ?? "") !== (old.spec?.externalID ?? "")) {
    errors.push(forbidden("spec.externalID", "may not be updated"));
  }
  return errors;
}

function checkAddresses(errors: Errors, node: Loose<Node>): void {
  const seen = new Set<string>();
  node.status?.addresses?.forEach(({ type = "", address = "" }, index) => {
    const pair = `${type}/${address}`;
    if (seen.has(pair)) errors.push(duplicate(`status.addresses[${index}]`, { Type: type, Address: address }));
    seen.add(pair);
  });
}
