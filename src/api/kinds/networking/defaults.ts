import type { IngressClass, NetworkPolicy, NetworkPolicyPort } from "../../gen/types.js";
import { mapField, mapItems, withDefaults, withField } from "../defaulting.js";
import type { Loose } from "../loose.js";

export function defaultNetworkPolicy(policy: Loose<NetworkPolicy>): Loose<NetworkPolicy> {
  return mapField(policy, "spec", (given) => {
    let spec = given;
    if ((spec.policyTypes?.length ?? 0) === 0) {
      const policyTypes = (spec.egress?.length ?? 0) > 0 ? ["Ingress", "Egress"] : ["Ingress"];
      spec = withField(spec, "policyTypes", policyTypes);
    }
    spec = mapField(spec, "ingress", (rules) =>
      mapItems(rules, (rule) => mapField(rule, "ports", (ports) => mapItems(ports, defaultPort))),
    );
    return mapField(spec, "egress", (rules) =>
      mapItems(rules, (rule) => mapField(rule, "ports", (ports) => mapItems(ports, defaultPort))),
    );
  });
}

function defaultPort(port: Loose<NetworkPolicyPort>): Loose<NetworkPolicyPort> {
  return withDefaults(port, { protocol: "TCP" });
}

export function defaultIngressClass(ingressClass: Loose<IngressClass>): Loose<IngressClass> {
  return mapField(ingressClass, "spec", (spec) =>
    mapField(spec, "parameters", (parameters) => withDefaults(parameters, { scope: "Cluster" })),
  );
}
