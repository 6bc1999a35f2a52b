import type { EndpointSlice, Ingress, IngressClass, IPAddress, NetworkPolicy, ServiceCIDR } from "../../gen/types.js";
import { startsWithStatus } from "../status-zero.js";
import { type StrategyEntry, strategyOf } from "../strategy.js";
import { defaultIngressClass, defaultNetworkPolicy } from "./defaults.js";
import { defaultEndpointSlice } from "./endpoint-slice.js";

export const networkingStrategies: readonly StrategyEntry[] = [
  ["networking.k8s.io/networkpolicies", strategyOf<NetworkPolicy>({ defaults: defaultNetworkPolicy })],
  ["networking.k8s.io/ingresses", strategyOf<Ingress>({ prepareForCreate: startsWithStatus({ loadBalancer: {} }) })],
  ["networking.k8s.io/ingressclasses", strategyOf<IngressClass>({ defaults: defaultIngressClass })],
  ["networking.k8s.io/ipaddresses", strategyOf<IPAddress>({ generation: false })],
  ["networking.k8s.io/servicecidrs", strategyOf<ServiceCIDR>({ prepareForCreate: startsWithStatus({}) })],
  ["discovery.k8s.io/endpointslices", strategyOf<EndpointSlice>({ defaults: defaultEndpointSlice, generation: true })],
];
