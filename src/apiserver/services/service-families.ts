import { invalid } from "../../api/field-error.js";
import type { FieldError, ServiceSpec } from "../../api/index.js";
import { checkServiceAddresses } from "../../api/kinds/core/service-addresses.js";
import { type IpFamily, ipFamily } from "../../api/kinds/ip.js";

type Policy = "SingleStack" | "PreferDualStack" | "RequireDualStack";

/** What a Service says of its addresses, or why it may not. */
export type FamilyDecision = { readonly spec: ServiceSpec } | { readonly errors: readonly FieldError[] };

/**
 * Fills in `ipFamilyPolicy` and `ipFamilies`, and cuts off the second family and address where an update gives them up. The cluster's
 * families come in order, its default first. Follows upstream's `initIPFamilyFields`; its validation comes before and after this.
 */
export function decideFamilies(
  given: ServiceSpec,
  old: ServiceSpec | undefined,
  cluster: readonly IpFamily[],
): FamilyDecision {
  if (given.type === "ExternalName" || staysPreferred(given, old)) return { spec: given };
  const policy = policyOf(given, old);
  let spec: ServiceSpec = { ...given, ipFamilyPolicy: policy };
  const errors: FieldError[] = [];
  checkServiceAddresses(errors, spec);
  if (errors.length > 0) return { errors };
  if (old !== undefined) spec = policy === "SingleStack" ? cutToOne(spec, old) : spec;
  errors.push(...checkReduced(spec, old), ...checkSingle(spec));
  const inferred = inferFamilies(spec, cluster);
  errors.push(...inferred.errors);
  if (errors.length > 0) return { errors };
  const { families } = inferred;
  const anyEndpoints = isHeadlessWithoutSelector(spec);
  if (!anyEndpoints) errors.push(...checkKnown(policy, families, cluster));
  if (errors.length > 0) return { errors };
  const [first = cluster[0] ?? "IPv4"] = families;
  const both = policy !== "SingleStack" && families.length < 2 && (anyEndpoints || cluster.length === 2);
  const ipFamilies = both ? [first, other(first)] : families.length === 0 ? [first] : families;
  return { spec: { ...spec, ipFamilies } };
}

/** A Service whose endpoints somebody else makes may have endpoints of families that the cluster does not have. */
function isHeadlessWithoutSelector(spec: ServiceSpec): boolean {
  return spec.clusterIP === "None" && Object.keys(spec.selector ?? {}).length === 0;
}

function other(family: IpFamily): IpFamily {
  return family === "IPv4" ? "IPv6" : "IPv4";
}

/** A Service that prefers two families does not get or lose one by a write that is about something else, when the cluster has changed. */
function staysPreferred(spec: ServiceSpec, old: ServiceSpec | undefined): boolean {
  if (old === undefined || spec.ipFamilyPolicy !== "PreferDualStack" || spec.type !== old.type) return false;
  if ((old.ipFamilyPolicy ?? "PreferDualStack") !== "PreferDualStack") return false;
  return same(spec.clusterIPs, old.clusterIPs) && same(spec.ipFamilies, old.ipFamilies);
}

function policyOf(spec: ServiceSpec, old: ServiceSpec | undefined): Policy {
  const said = spec.ipFamilyPolicy ?? old?.ipFamilyPolicy;
  if (said !== undefined) return said as Policy;
  return isHeadlessWithoutSelector(spec) ? "RequireDualStack" : "SingleStack";
}

/** The policy alone says it, where the lists are as they were. */
function cutToOne(spec: ServiceSpec, old: ServiceSpec): ServiceSpec {
  const { clusterIPs = [], ipFamilies = [] } = spec;
  return {
    ...spec,
    ...(clusterIPs.length > 1 && same(clusterIPs, old.clusterIPs) ? { clusterIPs: clusterIPs.slice(0, 1) } : {}),
    ...(ipFamilies.length > 1 && same(ipFamilies, old.ipFamilies) ? { ipFamilies: ipFamilies.slice(0, 1) } : {}),
  };
}

/** Lists that became shorter without the policy. One that is left out was not given. */
function checkReduced(spec: ServiceSpec, old: ServiceSpec | undefined): readonly FieldError[] {
  if (old === undefined || spec.ipFamilyPolicy === "SingleStack") return [];
  const reduced = (now: readonly string[] = [], then: readonly string[] = []): boolean =>
    now.length > 0 && now.length < then.length;
  const refuse = (what: string): FieldError =>
    invalid("spec.ipFamilyPolicy", spec.ipFamilyPolicy, `must be 'SingleStack' to release the secondary ${what}`);
  return [
    ...(reduced(spec.clusterIPs, old.clusterIPs) ? [refuse("cluster IP")] : []),
    ...(reduced(spec.ipFamilies, old.ipFamilies) ? [refuse("IP family")] : []),
  ];
}

function checkSingle({ ipFamilyPolicy, clusterIPs, ipFamilies }: ServiceSpec): readonly FieldError[] {
  if (ipFamilyPolicy !== "SingleStack") return [];
  const refuse = (what: string): FieldError =>
    invalid(
      "spec.ipFamilyPolicy",
      ipFamilyPolicy,
      `must be 'RequireDualStack' or 'PreferDualStack' when multiple ${what} are specified`,
    );
  return [
    ...(clusterIPs?.length === 2 ? [refuse("cluster IPs")] : []),
    ...(ipFamilies?.length === 2 ? [refuse("IP families")] : []),
  ];
}

/** The families that are given, and those of given addresses behind them. */
function inferFamilies(
  { clusterIPs = [], ipFamilies = [] }: ServiceSpec,
  cluster: readonly IpFamily[],
): { readonly families: readonly IpFamily[]; readonly errors: readonly FieldError[] } {
  const families = [...ipFamilies] as IpFamily[];
  const errors: FieldError[] = [];
  for (const [index, ip] of clusterIPs.entries()) {
    const family = ipFamily(ip);
    if (family === undefined) break;
    if (index < families.length) continue;
    if (cluster.includes(family)) families.push(family);
    else errors.push(invalid(`spec.clusterIPs[${index}]`, clusterIPs, `${family} is not configured on this cluster`));
  }
  return { families, errors };
}

function checkKnown(
  policy: Policy,
  families: readonly IpFamily[],
  cluster: readonly IpFamily[],
): readonly FieldError[] {
  const errors: FieldError[] = [];
  if (policy === "RequireDualStack" && cluster.length < 2) {
    errors.push(invalid("spec.ipFamilyPolicy", policy, "this cluster is not configured for dual-stack services"));
  }
  for (const [index, family] of families.entries()) {
    if (cluster.includes(family)) continue;
    errors.push(invalid(`spec.ipFamilies[${index}]`, family, "not configured on this cluster"));
  }
  return errors;
}

function same(a: readonly string[] = [], b: readonly string[] = []): boolean {
  return a.length === b.length && a.every((item, index) => item === b[index]);
}
