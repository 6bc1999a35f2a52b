import { required, tooLong } from "../../field-error.js";
import type { CSIPersistentVolumeSource, SecretReference } from "../../gen/types.js";
import { validateDns1123Subdomain } from "../../names.js";
import { addInvalid, checkLabel, checkRequired, checkSubdomain, type Errors } from "../checks.js";
import type { Loose } from "../loose.js";

const maxDriverName = 63;

/** Drivers have the names of domains, in upper or lower case. */
export function checkCsiDriverName(errors: Errors, path: string, name: string): void {
  if (name === "") errors.push(required(path));
  if (name.length > maxDriverName) errors.push(tooLong(path, maxDriverName));
  addInvalid(errors, path, name, validateDns1123Subdomain(name.toLowerCase()));
}

const secretFields = [
  "controllerPublishSecretRef",
  "controllerExpandSecretRef",
  "nodePublishSecretRef",
  "nodeExpandSecretRef",
] as const;

export function checkCsiPersistentSource(errors: Errors, path: string, source: Loose<CSIPersistentVolumeSource>): void {
  checkCsiDriverName(errors, `${path}.driver`, source.driver ?? "");
  checkRequired(errors, `${path}.volumeHandle`, source.volumeHandle);
  for (const field of secretFields) {
    const secret = source[field];
    if (secret !== undefined) checkSecretReference(errors, `${path}.${field}`, secret);
  }
}

function checkSecretReference(errors: Errors, path: string, secret: Loose<SecretReference>): void {
  if (checkRequired(errors, `${path}.name`, secret.name)) checkSubdomain(errors, `${path}.name`, secret.name);
  if (checkRequired(errors, `${path}.namespace`, secret.namespace)) {
    checkLabel(errors, `${path}.namespace`, secret.namespace);
  }
}
