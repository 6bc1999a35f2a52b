import type { Service } from "../../gen/types.js";
import { semanticallyEqual } from "../equality.js";
import { legacyCidrWarnings, legacyIpWarnings } from "../ip-warnings.js";
import { type Loose, ownValue } from "../loose.js";
import { isHeadless } from "./service-addresses.js";
import { topologyHints, topologyMode } from "./service-validation.js";

const headlessIgnores = "is ignored for headless services";

export function serviceWarnings(service: Loose<Service>, old: Loose<Service> | undefined): readonly string[] {
  const warnings: string[] = [];
  const warnAddresses = (field: "clusterIPs" | "externalIPs"): void => {
    service.spec?.[field]?.forEach((address, index) => {
      warnings.push(...legacyIpWarnings(`spec.${field}[${index}]`, address));
    });
  };
  const spec = service.spec ?? {};
  const annotations = service.metadata?.annotations;
  if (ownValue(annotations, topologyHints) !== undefined) {
    warnings.push(`annotation ${topologyHints} is deprecated, please use ${topologyMode} instead`);
  }
  warnAddresses("clusterIPs");
  if (isHeadless(spec)) {
    if (spec.loadBalancerIP) warnings.push(`spec.loadBalancerIP ${headlessIgnores}`);
    if ((spec.externalIPs?.length ?? 0) > 0) warnings.push(`spec.externalIPs ${headlessIgnores}`);
    if (spec.sessionAffinity !== undefined && spec.sessionAffinity !== "None") {
      warnings.push(`spec.SessionAffinity ${headlessIgnores}`);
    }
  }
  // What has been there is not warned of again.
  if (old === undefined || !semanticallyEqual(spec.externalIPs, old.spec?.externalIPs)) {
    if ((spec.externalIPs?.length ?? 0) > 0) warnings.push("spec.externalIPs is deprecated");
  }
  warnAddresses("externalIPs");
  if (spec.loadBalancerIP) warnings.push(...legacyIpWarnings("spec.loadBalancerIP", spec.loadBalancerIP));
  spec.loadBalancerSourceRanges?.forEach((range, index) => {
    warnings.push(...legacyCidrWarnings(`spec.loadBalancerSourceRanges[${index}]`, range));
  });
  if (spec.type === "ExternalName" && (spec.externalIPs?.length ?? 0) > 0) {
    warnings.push(`spec.externalIPs is ignored when spec.type is "ExternalName"`);
  }
  if (spec.type !== "ExternalName" && spec.externalName) {
    warnings.push(`spec.externalName is ignored when spec.type is not "ExternalName"`);
  }
  if (spec.trafficDistribution === "PreferClose") {
    warnings.push('spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"');
  }
  return warnings;
}

export function serviceStatusWarnings({ status }: Loose<Service>): readonly string[] {
  return (status?.loadBalancer?.ingress ?? []).flatMap(({ ip = "" }, index) =>
    legacyIpWarnings(`status.loadBalancer.ingress[${index}]`, ip),
  );
}
