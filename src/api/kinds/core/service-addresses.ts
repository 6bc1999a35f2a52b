import { duplicate, invalid, notSupported, required } from "../../field-error.js";
import type { ServiceSpec } from "../../gen/types.js";
import { checkOptionalEnum, type Errors } from "../checks.js";
import { checkIp, ipFamily } from "../ip.js";
import type { Loose } from "../loose.js";

const once = "may not change once set";

export function isHeadless(spec: Loose<ServiceSpec>): boolean {
  return spec.clusterIPs?.length === 1 && spec.clusterIPs[0] === "None";
}

/** clusterIP, clusterIPs, ipFamilies and ipFamilyPolicy, as far as they can be judged without knowing the cluster. */
export function checkServiceAddresses(errors: Errors, spec: Loose<ServiceSpec>): void {
  if (spec.type === "ExternalName") return;
  const { clusterIP = "", clusterIPs = [], ipFamilies = [] } = spec;
  const path = "spec.clusterIPs";
  if (clusterIP === "") {
    if (clusterIPs.length > 0) {
      errors.push(invalid(path, clusterIPs, "must be empty when `clusterIP` is not specified"));
    }
  } else if (clusterIPs.length === 0) errors.push(required(path));
  else if (clusterIPs[0] !== clusterIP) errors.push(invalid(path, clusterIPs, "first value must match `clusterIP`"));
  ipFamilies.forEach((family, index) => {
    const at = `spec.ipFamilies[${index}]`;
    if (family !== "IPv4" && family !== "IPv6") errors.push(notSupported(at, family, ["IPv4", "IPv6"]));
    if (ipFamilies.indexOf(family) < index) errors.push(duplicate(at, family));
  });
  checkOptionalEnum(errors, "spec.ipFamilyPolicy", spec.ipFamilyPolicy, [
    "PreferDualStack",
    "RequireDualStack",
    "SingleStack",
  ]);
  if (!checkTexts(errors, path, clusterIPs)) return;
  if (clusterIPs.length > 1 && new Set(clusterIPs.map(ipFamily)).size < 2) {
    errors.push(invalid(path, clusterIPs, "may specify no more than one IP for each IP family"));
  }
  if (isHeadless(spec)) return;
  clusterIPs.forEach((address, index) => {
    const family = ipFamilies[index];
    if ((family !== "IPv4" && family !== "IPv6") || ipFamily(address) === family) return;
    const why = `expected an ${family} value as indicated by \`ipFamilies[${index}]\``;
    errors.push(invalid(`${path}[${index}]`, address, why));
  });
}

/** Whether all are addresses, or the one word None. */
function checkTexts(errors: Errors, path: string, clusterIPs: readonly string[]): boolean {
  const before = errors.length;
  clusterIPs.forEach((address, index) => {
    if (index > 0 || address !== "None") checkIp(errors, `${path}[${index}]`, address);
    else if (clusterIPs.length > 1) {
      errors.push(invalid(path, clusterIPs, "'None' must be the first and only value"));
    }
  });
  const good = errors.length === before;
  if (clusterIPs.length > 2) errors.push(invalid(path, clusterIPs, "may only hold up to 2 values"));
  return good;
}

/** What was allocated once does not change while the service has addresses of the cluster; a second family may come and go. */
export function checkAddressUpdate(errors: Errors, spec: Loose<ServiceSpec>, old: Loose<ServiceSpec>): void {
  if (spec.type === "ExternalName" || old.type === "ExternalName") return;
  const headless = isHeadless(spec);
  const was = isHeadless(old);
  if (!headless || !was) checkClusterIpUpdate(errors, spec, old);
  if (headless || was) return;
  checkFamilyUpdate(errors, spec, old);
}

function checkClusterIpUpdate(errors: Errors, spec: Loose<ServiceSpec>, old: Loose<ServiceSpec>): void {
  const path = "spec.clusterIPs";
  const now = spec.clusterIPs ?? [];
  const then = old.clusterIPs ?? [];
  if (now.length === then.length) {
    then.forEach((address, index) => {
      if (address !== now[index]) errors.push(invalid(`${path}[${index}]`, now, once));
    });
    return;
  }
  if (now.length === 0) errors.push(invalid(`${path}[0]`, now, "primary clusterIP can not be unset"));
  else if (then.length > 0 && now[0] !== then[0]) errors.push(invalid(`${path}[0]`, now, once));
  if (then.length > now.length) checkRelease(errors, spec, now.length, "secondary clusterIP");
}

function checkFamilyUpdate(errors: Errors, spec: Loose<ServiceSpec>, old: Loose<ServiceSpec>): void {
  const at = "spec.ipFamilies[0]";
  const now = spec.ipFamilies ?? [];
  const then = old.ipFamilies ?? [];
  if (now.length === then.length) {
    for (const [index, family] of then.entries()) if (family !== now[index]) errors.push(invalid(at, now, once));
    return;
  }
  if (then.length > now.length && (spec.clusterIPs?.length ?? 0) === 0) {
    errors.push(invalid(at, now, "primary ipFamily can not be unset"));
  }
  if (now.length > 0 && then.length > 0 && now[0] !== then[0]) errors.push(invalid(at, spec.clusterIPs ?? [], once));
  if (then.length > now.length) checkRelease(errors, spec, now.length, "secondary ipFamily");
}

function checkRelease(errors: Errors, spec: Loose<ServiceSpec>, left: number, what: string): void {
  if (left !== 1 || spec.ipFamilyPolicy === "SingleStack") return;
  const why = `must be set to 'SingleStack' when releasing the ${what}`;
  errors.push(invalid("spec.ipFamilyPolicy", spec.ipFamilyPolicy ?? null, why));
}
