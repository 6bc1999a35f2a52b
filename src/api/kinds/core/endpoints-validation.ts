import { type FieldError, required } from "../../field-error.js";
import type { CoreEndpointPort, Endpoints } from "../../gen/types.js";
import { checkEnum, checkLabel, checkQualifiedName, checkRange, checkSubdomain, type Errors } from "../checks.js";
import { checkIp, checkNotSpecialIp } from "../ip.js";
import type { Loose } from "../loose.js";

export function validateEndpoints(endpoints: Loose<Endpoints>): readonly FieldError[] {
  const errors: Errors = [];
  endpoints.subsets?.forEach((subset, index) => {
    const at = `subsets[${index}]`;
    const ready = subset.addresses ?? [];
    const notReady = subset.notReadyAddresses ?? [];
    if (ready.length === 0 && notReady.length === 0) {
      errors.push(required(at, "must specify `addresses` or `notReadyAddresses`"));
    }
    for (const [field, addresses] of [
      ["addresses", ready],
      ["notReadyAddresses", notReady],
    ] as const) {
      addresses.forEach((address, position) => {
        const where = `${at}.${field}[${position}]`;
        checkIp(errors, `${where}.ip`, address.ip ?? "");
        checkNotSpecialIp(errors, `${where}.ip`, address.ip ?? "");
        if (address.hostname) checkLabel(errors, `${where}.hostname`, address.hostname);
        if (address.nodeName !== undefined) checkSubdomain(errors, `${where}.nodeName`, address.nodeName);
      });
    }
    const ports = subset.ports ?? [];
    ports.forEach((port, position) => {
      checkPort(errors, `${at}.ports[${position}]`, port, ports.length > 1);
    });
  });
  return errors;
}

function checkPort(errors: Errors, path: string, port: Loose<CoreEndpointPort>, needsName: boolean): void {
  if (port.name) checkLabel(errors, `${path}.name`, port.name);
  else if (needsName) errors.push(required(`${path}.name`));
  checkRange(errors, `${path}.port`, port.port ?? 0, 1, 65535);
  checkEnum(errors, `${path}.protocol`, port.protocol, ["SCTP", "TCP", "UDP"]);
  if (port.appProtocol !== undefined) checkQualifiedName(errors, `${path}.appProtocol`, port.appProtocol);
}
