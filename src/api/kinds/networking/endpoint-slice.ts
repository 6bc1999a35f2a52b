import { duplicate, type FieldError, invalid, required, tooMany } from "../../field-error.js";
import type { Endpoint, EndpointSlice } from "../../gen/types.js";
import { validateDns1123Label, validateDns1123Subdomain, validateLabelValue } from "../../names.js";
import {
  addInvalid,
  checkEnum,
  checkImmutable,
  checkLabel,
  checkQualifiedName,
  checkSubdomain,
  type Errors,
} from "../checks.js";
import { mapField, mapItems, withDefaults } from "../defaulting.js";
import { semanticallyEqual } from "../equality.js";
import { checkNotSpecialIp, ipFamily } from "../ip.js";
import { legacyIpWarnings } from "../ip-warnings.js";
import { type Loose, ownValue } from "../loose.js";

const maxEndpoints = 1000;
const maxAddresses = 100;
const maxPorts = 20_000;
const maxHints = 8;
const addressTypes = ["FQDN", "IPv4", "IPv6"];

export function defaultEndpointSlice(slice: Loose<EndpointSlice>): Loose<EndpointSlice> {
  return mapField(slice, "ports", (ports) =>
    mapItems(ports, (port) => withDefaults(port, { name: "", protocol: "TCP" })),
  );
}

const hostnameLabel = "kubernetes.io/hostname";

/** The topology that only v1beta1 could write is not taken, but what was stored with it stays while the endpoints do. */
export function prepareEndpointSlice(slice: Loose<EndpointSlice>, old?: Loose<EndpointSlice>): Loose<EndpointSlice> {
  if (old !== undefined && semanticallyEqual(slice.endpoints, old.endpoints)) return slice;
  const before = new Set(old?.endpoints?.map(({ deprecatedTopology }) => ownValue(deprecatedTopology, hostnameLabel)));
  return mapField(slice, "endpoints", (endpoints) =>
    mapItems(endpoints, (endpoint) => {
      const { deprecatedTopology, ...rest } = endpoint;
      if (deprecatedTopology === undefined) return endpoint;
      const node = ownValue(deprecatedTopology, hostnameLabel);
      const known = node !== undefined && before.has(node) && validateDns1123Subdomain(node).length === 0;
      return known && rest.nodeName === undefined ? { ...rest, nodeName: node } : rest;
    }),
  );
}

export function validateEndpointSlice(slice: Loose<EndpointSlice>): readonly FieldError[] {
  const errors: Errors = [];
  const { endpoints = [], ports = [] } = slice;
  checkEnum(errors, "addressType", slice.addressType, addressTypes);
  if (endpoints.length > maxEndpoints) errors.push(tooMany("endpoints", endpoints.length, maxEndpoints));
  else {
    endpoints.forEach((endpoint, index) => {
      checkEndpoint(errors, `endpoints[${index}]`, endpoint, slice.addressType);
    });
  }
  if (ports.length > maxPorts) errors.push(tooMany("ports", ports.length, maxPorts));
  const names = new Set<string>();
  ports.forEach((port, index) => {
    const at = `ports[${index}]`;
    const { name = "" } = port;
    if (name !== "") checkLabel(errors, `${at}.name`, name);
    if (names.has(name)) errors.push(duplicate(`${at}.name`, name));
    names.add(name);
    checkEnum(errors, `${at}.protocol`, port.protocol, ["SCTP", "TCP", "UDP"]);
    if (port.appProtocol !== undefined) checkQualifiedName(errors, `${at}.appProtocol`, port.appProtocol);
  });
  return errors;
}

function checkEndpoint(errors: Errors, path: string, endpoint: Loose<Endpoint>, type: string | undefined): void {
  const addresses = endpoint.addresses ?? [];
  if (addresses.length === 0) errors.push(required(`${path}.addresses`, "must contain at least 1 address"));
  else if (addresses.length > maxAddresses) errors.push(tooMany(`${path}.addresses`, addresses.length, maxAddresses));
  addresses.forEach((address, index) => {
    const at = `${path}.addresses[${index}]`;
    if (type === "FQDN") {
      checkDomain(errors, at, address);
      return;
    }
    if (type !== "IPv4" && type !== "IPv6") return;
    if (ipFamily(address) !== type) errors.push(invalid(at, address, `must be a valid ${type} address`));
    else checkNotSpecialIp(errors, at, address);
  });
  if (endpoint.nodeName !== undefined) checkSubdomain(errors, `${path}.nodeName`, endpoint.nodeName);
  if (endpoint.hostname !== undefined) checkLabel(errors, `${path}.hostname`, endpoint.hostname);
  checkHints(errors, `${path}.hints.forZones`, endpoint.hints?.forZones ?? [], validateLabelValue);
  checkHints(errors, `${path}.hints.forNodes`, endpoint.hints?.forNodes ?? [], validateDns1123Subdomain);
}

/** A domain name of at least two labels; a dot at its end is fine. */
function checkDomain(errors: Errors, path: string, text: string): void {
  if (text === "") {
    errors.push(required(path));
    return;
  }
  const name = text.endsWith(".") ? text.slice(0, -1) : text;
  const wrong = validateDns1123Subdomain(name);
  addInvalid(errors, path, name, wrong);
  if (wrong.length > 0) return;
  const labels = name.split(".");
  if (labels.length < 2) {
    errors.push(invalid(path, name, "should be a domain with at least two segments separated by dots"));
    return;
  }
  for (const label of labels) addInvalid(errors, path, label, validateDns1123Label(label));
}

function checkHints(
  errors: Errors,
  path: string,
  hints: readonly { readonly name?: string | undefined }[],
  validate: (name: string) => readonly string[],
): void {
  if (hints.length > maxHints) {
    errors.push(tooMany(path, hints.length, maxHints));
    return;
  }
  const seen = new Set<string>();
  hints.forEach(({ name = "" }, index) => {
    const at = `${path}[${index}].name`;
    if (seen.has(name)) errors.push(duplicate(at, name));
    seen.add(name);
    addInvalid(errors, at, name, validate(name));
  });
}

export function endpointSliceWarnings(slice: Loose<EndpointSlice>): readonly string[] {
  if (slice.addressType !== "IPv6") return [];
  return (slice.endpoints ?? []).flatMap(({ addresses = [] }, index) =>
    addresses.flatMap((address, position) => legacyIpWarnings(`endpoints[${index}].addresses[${position}]`, address)),
  );
}

export function validateEndpointSliceUpdate(
  slice: Loose<EndpointSlice>,
  old: Loose<EndpointSlice>,
): readonly FieldError[] {
  const errors: Errors = [];
  checkImmutable(errors, "addressType", slice.addressType, old.addressType);
  return errors;
}
