import type {
  DeviceClaim,
  DeviceRequest,
  DeviceSubRequest,
  DeviceTaint,
  DeviceToleration,
  ResourceClaim,
  ResourceClaimTemplate,
  ResourceSlice,
} from "../../gen/types.js";
import { mapField, mapItems, withDefaults, withField, withZeroDefaults } from "../defaulting.js";
import type { Loose } from "../loose.js";

export function defaultResourceClaim(claim: Loose<ResourceClaim>): Loose<ResourceClaim> {
  return mapField(claim, "spec", (spec) => mapField(spec, "devices", defaultDevices));
}

export function defaultResourceClaimTemplate(template: Loose<ResourceClaimTemplate>): Loose<ResourceClaimTemplate> {
  return mapField(template, "spec", (outer) =>
    mapField(outer, "spec", (spec) => mapField(spec, "devices", defaultDevices)),
  );
}

function defaultDevices(devices: Loose<DeviceClaim>): Loose<DeviceClaim> {
  return mapField(devices, "requests", (requests) => mapItems(requests, defaultRequest));
}

function defaultRequest(request: Loose<DeviceRequest>): Loose<DeviceRequest> {
  const result = mapField(request, "exactly", (exactly) => defaultExact(exactly));
  return mapField(result, "firstAvailable", (requests) => mapItems(requests, (sub) => defaultExact(sub)));
}

function defaultExact<T extends Loose<DeviceSubRequest>>(request: T): T {
  let result: Loose<DeviceSubRequest> = withZeroDefaults<Loose<DeviceSubRequest>>(request, {
    allocationMode: "ExactCount",
  });
  if (result.allocationMode === "ExactCount") result = withZeroDefaults(result, { count: 1 });
  result = mapField(result, "tolerations", (tolerations) => mapItems(tolerations, defaultToleration));
  return result === request ? request : { ...request, ...result };
}

function defaultToleration(toleration: Loose<DeviceToleration>): Loose<DeviceToleration> {
  return withZeroDefaults(toleration, { operator: "Equal" });
}

/** A taint without a time is from now. */
export function stampTaints(slice: Loose<ResourceSlice>, now: string): Loose<ResourceSlice> {
  const stamp = (taint: Loose<DeviceTaint>): Loose<DeviceTaint> => withDefaults(taint, { timeAdded: now });
  return mapField(slice, "spec", (spec) => {
    const devices = spec.devices;
    if (devices === undefined) return spec;
    const stamped = mapItems(devices, (device) => mapField(device, "taints", (taints) => mapItems(taints, stamp)));
    return withField(spec, "devices", stamped);
  });
}
