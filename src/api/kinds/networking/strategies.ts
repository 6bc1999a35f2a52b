import type { EndpointSlice, Ingress, IngressClass, IPAddress, NetworkPolicy, ServiceCIDR } from "../../gen/types.js";
import { startsWithStatus } from "../status-zero.js";
import { type StrategyEntry, strategyOf } from "../strategy.js";
import {
  validateIpAddress,
  validateIpAddressName,
  validateIpAddressUpdate,
  validateServiceCidr,
  validateServiceCidrUpdate,
} from "./address-objects.js";
import { defaultIngressClass, defaultNetworkPolicy } from "./defaults.js";
import {
  defaultEndpointSlice,
  endpointSliceWarnings,
  prepareEndpointSlice,
  validateEndpointSlice,
  validateEndpointSliceUpdate,
} from "./endpoint-slice.js";
import { networkPolicyWarnings, validateNetworkPolicy } from "./network-policy.js";
import {
  ingressWarnings,
  validateIngress,
  validateIngressClass,
  validateIngressClassUpdate,
  validateIngressStatus,
  validateNewIngress,
} from "./validation.js";

export const networkingStrategies: readonly StrategyEntry[] = [
  [
    "networking.k8s.io/networkpolicies",
    strategyOf<NetworkPolicy>({
      defaults: defaultNetworkPolicy,
      validate: validateNetworkPolicy,
      warnings: networkPolicyWarnings,
    }),
  ],
  [
    "networking.k8s.io/ingresses",
    strategyOf<Ingress>({
      prepareForCreate: startsWithStatus({ loadBalancer: {} }),
      validate: validateIngress,
      validateCreate: validateNewIngress,
      validateStatusUpdate: validateIngressStatus,
      warnings: ingressWarnings,
    }),
  ],
  [
    "networking.k8s.io/ingressclasses",
    strategyOf<IngressClass>({
      defaults: defaultIngressClass,
      validate: validateIngressClass,
      validateUpdate: validateIngressClassUpdate,
    }),
  ],
  [
    "networking.k8s.io/ipaddresses",
    strategyOf<IPAddress>({
      validate: validateIpAddress,
      validateUpdate: validateIpAddressUpdate,
      validateName: validateIpAddressName,
      generation: false,
    }),
  ],
  [
    "networking.k8s.io/servicecidrs",
    strategyOf<ServiceCIDR>({
      prepareForCreate: startsWithStatus({}),
      validate: validateServiceCidr,
      validateUpdate: validateServiceCidrUpdate,
    }),
  ],
  [
    "discovery.k8s.io/endpointslices",
    strategyOf<EndpointSlice>({
      defaults: defaultEndpointSlice,
      prepareForCreate: (slice) => prepareEndpointSlice(slice),
      prepareForUpdate: prepareEndpointSlice,
      validate: validateEndpointSlice,
      validateUpdate: validateEndpointSliceUpdate,
      warnings: endpointSliceWarnings,
      generation: true,
    }),
  ],
];
