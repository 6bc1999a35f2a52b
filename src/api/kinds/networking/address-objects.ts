import { type FieldError, invalid, required } from "../../field-error.js";
import type { IPAddress, ServiceCIDR } from "../../gen/types.js";
import {
  addInvalid,
  checkImmutable,
  checkRequired,
  checkSubdomain,
  type Errors,
  validatePathSegmentName,
} from "../checks.js";
import { canonicalCidrError, canonicalIpError, cidrFamily } from "../ip.js";
import type { Loose } from "../loose.js";

export function validateServiceCidr(cidr: Loose<ServiceCIDR>): readonly FieldError[] {
  const path = "spec.cidrs";
  const ranges = cidr.spec?.cidrs ?? [];
  const refuse = (why: string): readonly FieldError[] => [invalid(path, cidr.spec, why)];
  if (ranges.length === 0) return [required(path, "at least one CIDR required")];
  if (ranges.length > 2) return refuse("may only hold up to 2 values");
  const families = ranges.map(cidrFamily);
  if (ranges.length === 2 && (families.includes(undefined) || families[0] === families[1])) {
    return refuse("may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64");
  }
  const errors: Errors = [];
  ranges.forEach((range, index) => {
    const why = canonicalCidrError(range);
    if (why !== undefined) errors.push(invalid(`${path}[${index}]`, range, why));
  });
  return errors;
}

/** A cluster of one family may get a second one; everything else stays. */
export function validateServiceCidrUpdate(cidr: Loose<ServiceCIDR>, old: Loose<ServiceCIDR>): readonly FieldError[] {
  const path = "spec.cidrs";
  const now = cidr.spec?.cidrs ?? [];
  const then = old.spec?.cidrs ?? [];
  const fixed = "field is immutable";
  if (now.length !== then.length && !(then.length === 1 && now.length === 2)) return [invalid(path, now, fixed)];
  return then.flatMap((range, index) =>
    range === now[index] ? [] : [invalid(`${path}[${index}]`, now[index], fixed)],
  );
}

export function validateIpAddress(address: Loose<IPAddress>): readonly FieldError[] {
  const errors: Errors = [];
  const parent = address.spec?.parentRef;
  const path = "spec.parentRef";
  if (!checkRequired(errors, path, parent)) return errors;
  if (parent.group) checkSubdomain(errors, `${path}.group`, parent.group);
  for (const field of ["resource", "name"] as const) {
    const value = parent[field];
    if (!checkRequired(errors, `${path}.${field}`, value)) continue;
    addInvalid(errors, `${path}.${field}`, value, validatePathSegmentName(value));
  }
  const { namespace } = parent;
  if (namespace) addInvalid(errors, `${path}.namespace`, namespace, validatePathSegmentName(namespace));
  return errors;
}

export function validateIpAddressUpdate(address: Loose<IPAddress>, old: Loose<IPAddress>): readonly FieldError[] {
  const errors: Errors = [];
  checkImmutable(errors, "spec.parentRef", address.spec?.parentRef, old.spec?.parentRef);
  return errors;
}

/** An address has one object only, so it has one name only. */
export function validateIpAddressName(name: string): readonly string[] {
  const why = canonicalIpError(name);
  return why === undefined ? [] : [why];
}
