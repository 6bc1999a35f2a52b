import { type FieldError, forbidden, invalid, notSupported, required, tooLong, tooMany } from "../../field-error.js";
import type {
  AllocatedDeviceStatus,
  AllocationResult,
  DeviceAllocationConfiguration,
  DeviceRequestAllocationResult,
  NetworkDeviceData,
  ResourceClaim,
  ResourceClaimConsumerReference,
} from "../../gen/types.js";
import { formatIp, parseCidr } from "../../ip.js";
import { maxReservations } from "../../pod-claims.js";
import { checkImmutable, type Errors } from "../checks.js";
import { checkConditions } from "../conditions.js";
import { checkNodeSelectorTerms } from "../core/scheduling-validation.js";
import { semanticallyEqual } from "../equality.js";
import type { Loose } from "../loose.js";
import { checkBindingConditions, checkDevicePlace, checkList, checkOpaque, checkSet, placeKey } from "./checks.js";
import {
  checkDeviceConfig,
  checkRequestReference,
  checkRequestReferences,
  maxConfigs,
  type RequestNames,
  requestNamesOf,
} from "./claim-validation.js";
import { checkUuid } from "./uuid.js";

const maxResults = 32;
const maxConditions = 8;
const maxDataBytes = 10 * 1024;
const maxInterfaceName = 256;
const maxHardwareAddress = 128;
const maxAddresses = 16;

export function validateResourceClaimStatus(
  claim: Loose<ResourceClaim>,
  old: Loose<ResourceClaim>,
): readonly FieldError[] {
  const errors: Errors = [];
  const { reservedFor = [], allocation, devices = [] } = claim.status ?? {};
  const checkConsumer = (consumer: Loose<ResourceClaimConsumerReference>, at: string): void => {
    for (const field of ["resource", "name", "uid"] as const) {
      if (!consumer[field]) errors.push(required(`${at}.${field}`));
    }
  };
  checkSet(errors, "status.reservedFor", reservedFor, maxReservations, checkConsumer, ({ uid = "" }) => uid);
  const allocated = new Set((allocation?.devices?.results ?? []).map(placeKey));
  const checkStatus = (device: Loose<AllocatedDeviceStatus>, at: string): void => {
    checkDeviceStatus(errors, at, device, allocated);
  };
  checkSet(errors, "status.devices", devices, Number.POSITIVE_INFINITY, checkStatus, placeKey, shownPlace);
  checkReservations(errors, claim, old);
  const before = old.status?.allocation;
  if (allocation === undefined) return errors;
  if (before !== undefined) checkImmutable(errors, "status.allocation", allocation, before);
  else checkAllocation(errors, "status.allocation", allocation, requestNamesOf(claim.spec?.devices ?? {}));
  return errors;
}

/** Only what is allocated can be reserved, and while it is given back nobody else can have it. */
function checkReservations(errors: Errors, claim: Loose<ResourceClaim>, old: Loose<ResourceClaim>): void {
  const path = "status.reservedFor";
  const { reservedFor = [], allocation } = claim.status ?? {};
  if (reservedFor.length === 0) return;
  if (allocation === undefined) {
    errors.push(forbidden(path, "may not be specified when `allocated` is not set"));
    return;
  }
  if (claim.metadata?.deletionTimestamp === undefined) return;
  const before = old.status?.reservedFor ?? [];
  if (reservedFor.every((consumer) => before.some((known) => semanticallyEqual(known, consumer)))) return;
  const why = "new entries may not be added while `deallocationRequested` or `deletionTimestamp` are set";
  errors.push(forbidden(path, why));
}

function checkAllocation(errors: Errors, path: string, allocation: Loose<AllocationResult>, names: RequestNames): void {
  const { results = [], config = [] } = allocation.devices ?? {};
  checkList(errors, `${path}.devices.results`, results, maxResults, (result, at) => {
    checkResult(errors, at, result, names);
  });
  // As many as the class and the claim may have.
  checkList(errors, `${path}.devices.config`, config, 2 * maxConfigs, (item, at) => {
    checkAllocatedConfig(errors, at, item, names);
  });
  if (allocation.nodeSelector !== undefined) {
    checkNodeSelectorTerms(errors, `${path}.nodeSelector`, allocation.nodeSelector);
  }
}

function checkResult(
  errors: Errors,
  path: string,
  result: Loose<DeviceRequestAllocationResult>,
  names: RequestNames,
): void {
  checkRequestReference(errors, `${path}.request`, result.request ?? "", names);
  checkDevicePlace(errors, path, result);
  checkBindingConditions(errors, path, result.bindingConditions, result.bindingFailureConditions);
  if (result.shareID !== undefined) checkUuid(errors, `${path}.shareID`, result.shareID);
}

const sources = ["FromClaim", "FromClass"];

function checkAllocatedConfig(
  errors: Errors,
  path: string,
  config: Loose<DeviceAllocationConfiguration>,
  names: RequestNames,
): void {
  const { source = "" } = config;
  if (source === "") errors.push(required(`${path}.source`));
  else if (!sources.includes(source)) errors.push(notSupported(`${path}.source`, source, sources));
  checkRequestReferences(errors, `${path}.requests`, config.requests, names);
  checkDeviceConfig(errors, path, config);
}

/** Upstream's text for the identity of a device: its names are of a type that shows nothing. */
function shownPlace({ shareID = "" }: Loose<AllocatedDeviceStatus>): unknown {
  return { Driver: {}, Pool: {}, Device: {}, ShareID: shareID };
}

function checkDeviceStatus(
  errors: Errors,
  path: string,
  device: Loose<AllocatedDeviceStatus>,
  allocated: ReadonlySet<string>,
): void {
  checkDevicePlace(errors, path, device);
  if (device.shareID !== undefined) checkUuid(errors, `${path}.shareID`, device.shareID);
  if (!allocated.has(placeKey(device))) {
    errors.push(invalid(path, shownPlace(device), "must be an allocated device in the claim"));
  }
  const { conditions = [], data, networkData } = device;
  if (conditions.length > maxConditions) errors.push(tooMany(`${path}.conditions`, conditions.length, maxConditions));
  checkConditions(errors, `${path}.conditions`, conditions);
  if (data !== undefined) checkOpaque(errors, `${path}.data`, data, maxDataBytes);
  if (networkData !== undefined) checkNetworkData(errors, `${path}.networkData`, networkData);
}

function checkNetworkData(errors: Errors, path: string, network: Loose<NetworkDeviceData>): void {
  const { interfaceName = "", hardwareAddress = "", ips = [] } = network;
  if (interfaceName.length > maxInterfaceName) errors.push(tooLong(`${path}.interfaceName`, maxInterfaceName));
  if (hardwareAddress.length > maxHardwareAddress) {
    errors.push(tooLong(`${path}.hardwareAddress`, maxHardwareAddress));
  }
  const check = (address: string, at: string): void => {
    checkInterfaceAddress(errors, at, address);
  };
  checkSet(errors, `${path}.ips`, ips, maxAddresses, check, (address) => address);
}

/** An address with the length of its network's prefix, in the one way to write it. */
function checkInterfaceAddress(errors: Errors, path: string, text: string): void {
  const network = parseCidr(text);
  if (network === undefined) {
    const why = "must be a valid address in CIDR form, (e.g. 10.9.8.7/24 or 2001:db8::1/64)";
    errors.push(invalid(path, text, why));
    return;
  }
  const canonical = `${formatIp({ family: network.family, value: network.address })}/${network.prefixLength}`;
  if (canonical !== text) errors.push(invalid(path, text, `must be in canonical form (${JSON.stringify(canonical)})`));
}
