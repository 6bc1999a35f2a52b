import { type FieldError, forbidden, invalid, notSupported, required } from "../../field-error.js";
import type { IPBlock, NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort } from "../../gen/types.js";
import { validatePortNumber } from "../../names.js";
import { addInvalid, checkOptionalEnum, checkPortOrName, type Errors } from "../checks.js";
import { checkCidr, cidrFamily, isStrictSubnet } from "../ip.js";
import { legacyCidrWarnings } from "../ip-warnings.js";
import { checkLabelSelector } from "../label-selector.js";
import type { Loose } from "../loose.js";

export function validateNetworkPolicy(policy: Loose<NetworkPolicy>): readonly FieldError[] {
  const errors: Errors = [];
  const spec = policy.spec ?? {};
  checkLabelSelector(errors, "spec.podSelector", spec.podSelector);
  for (const { path, ports, peersPath, peers } of rulesOf(policy)) {
    checkPorts(errors, `${path}.ports`, ports);
    checkPeers(errors, peersPath, peers);
  }
  const types = spec.policyTypes ?? [];
  if (types.length > 2) {
    errors.push(invalid("spec.policyTypes", types, "may not specify more than two policyTypes"));
    return errors;
  }
  types.forEach((type, index) => {
    if (type === "Ingress" || type === "Egress") return;
    errors.push(notSupported(`spec.policyTypes[${index}]`, type, ["Ingress", "Egress"]));
  });
  return errors;
}

interface Rule {
  readonly path: string;
  readonly ports: readonly Loose<NetworkPolicyPort>[];
  readonly peersPath: string;
  readonly peers: readonly Loose<NetworkPolicyPeer>[];
}

/** The rules of both directions. */
function rulesOf({ spec = {} }: Loose<NetworkPolicy>): readonly Rule[] {
  const incoming = (spec.ingress ?? []).map(({ ports = [], from = [] }, index) => {
    const path = `spec.ingress[${index}]`;
    return { path, ports, peersPath: `${path}.from`, peers: from };
  });
  const outgoing = (spec.egress ?? []).map(({ ports = [], to = [] }, index) => {
    const path = `spec.egress[${index}]`;
    return { path, ports, peersPath: `${path}.to`, peers: to };
  });
  return [...incoming, ...outgoing];
}

function checkPorts(errors: Errors, path: string, ports: readonly Loose<NetworkPolicyPort>[]): void {
  ports.forEach(({ protocol, port, endPort }, index) => {
    const at = `${path}[${index}]`;
    checkOptionalEnum(errors, `${at}.protocol`, protocol, ["TCP", "UDP", "SCTP"]);
    if (port === undefined) {
      if (endPort === undefined) return;
      errors.push(invalid(`${at}.endPort`, endPort, "may not be specified when `port` is not specified"));
      return;
    }
    if (typeof port === "string") {
      if (endPort !== undefined) {
        errors.push(invalid(`${at}.endPort`, endPort, "may not be specified when `port` is non-numeric"));
      }
      checkPortOrName(errors, `${at}.port`, port);
      return;
    }
    checkPortOrName(errors, `${at}.port`, port);
    if (endPort === undefined) return;
    // The value that upstream shows is the port's.
    if (endPort < port) errors.push(invalid(`${at}.endPort`, port, "must be greater than or equal to `port`"));
    addInvalid(errors, `${at}.endPort`, endPort, validatePortNumber(endPort));
  });
}

function checkPeers(errors: Errors, path: string, peers: readonly Loose<NetworkPolicyPeer>[]): void {
  peers.forEach(({ ipBlock, namespaceSelector, podSelector }, index) => {
    const at = `${path}[${index}]`;
    checkLabelSelector(errors, `${at}.podSelector`, podSelector);
    checkLabelSelector(errors, `${at}.namespaceSelector`, namespaceSelector);
    if (ipBlock !== undefined) checkIpBlock(errors, `${at}.ipBlock`, ipBlock);
    const selects = namespaceSelector !== undefined || podSelector !== undefined;
    if (ipBlock === undefined && !selects) errors.push(required(at, "must specify a peer"));
    else if (ipBlock !== undefined && selects) {
      errors.push(forbidden(at, "may not specify both ipBlock and another peer"));
    }
  });
}

function checkIpBlock(errors: Errors, path: string, { cidr = "", except = [] }: Loose<IPBlock>): void {
  if (cidr === "") {
    errors.push(required(`${path}.cidr`));
    return;
  }
  checkCidr(errors, `${path}.cidr`, cidr);
  if (cidrFamily(cidr) === undefined) return;
  except.forEach((inner, index) => {
    const at = `${path}.except[${index}]`;
    checkCidr(errors, at, inner);
    if (cidrFamily(inner) === undefined || isStrictSubnet(inner, cidr)) return;
    errors.push(invalid(at, inner, "must be a strict subset of `cidr`"));
  });
}

export function networkPolicyWarnings(policy: Loose<NetworkPolicy>): readonly string[] {
  return rulesOf(policy).flatMap(({ peersPath, peers }) =>
    peers.flatMap(({ ipBlock }, index) => {
      if (ipBlock === undefined) return [];
      const at = `${peersPath}[${index}].ipBlock`;
      const { cidr = "", except = [] } = ipBlock;
      return [
        ...legacyCidrWarnings(`${at}.cidr`, cidr),
        ...except.flatMap((inner, position) => legacyCidrWarnings(`${at}.except[${position}]`, inner)),
      ];
    }),
  );
}
