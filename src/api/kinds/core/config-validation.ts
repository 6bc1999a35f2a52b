import { type FieldError, forbidden, invalid, required, tooLong } from "../../field-error.js";
import type { ConfigMap, Secret } from "../../gen/types.js";
import { validateConfigMapKey } from "../../names.js";
import { addInvalid, checkImmutable, type Errors } from "../checks.js";
import { semanticallyEqual } from "../equality.js";
import { type Dictionary, entriesOf, type Loose, ownValue } from "../loose.js";

const maxBytes = 1024 * 1024;
const immutableDetail = "field is immutable when `immutable` is set";
const redacted = "<secret contents redacted>";

export function validateConfigMap(map: Loose<ConfigMap>): readonly FieldError[] {
  const errors: Errors = [];
  let bytes = 0;
  for (const [key, value] of entriesOf(map.data)) {
    addInvalid(errors, `data[${key}]`, key, validateConfigMapKey(key));
    if (ownValue(map.binaryData, key) !== undefined) {
      errors.push(invalid(`data[${key}]`, key, "duplicate of key present in binaryData"));
    }
    bytes += Buffer.byteLength(value);
  }
  for (const [key, value] of entriesOf(map.binaryData)) {
    addInvalid(errors, `binaryData[${key}]`, key, validateConfigMapKey(key));
    bytes += decodedLength(value);
  }
  // Upstream gives no path: it is the sum that is too large.
  if (bytes > maxBytes) errors.push(tooLong("", maxBytes));
  return errors;
}

export function validateConfigMapUpdate(map: Loose<ConfigMap>, old: Loose<ConfigMap>): readonly FieldError[] {
  if (old.immutable !== true) return [];
  const errors: Errors = [];
  if (map.immutable !== true) errors.push(forbidden("immutable", immutableDetail));
  if (!semanticallyEqual(map.data, old.data, true)) errors.push(forbidden("data", immutableDetail));
  if (!semanticallyEqual(map.binaryData, old.binaryData, true)) errors.push(forbidden("binaryData", immutableDetail));
  return errors;
}

export function validateSecret(secret: Loose<Secret>): readonly FieldError[] {
  const errors: Errors = [];
  let bytes = 0;
  for (const [key, value] of entriesOf(secret.data)) {
    addInvalid(errors, `data[${key}]`, key, validateConfigMapKey(key));
    bytes += decodedLength(value);
  }
  if (bytes > maxBytes) errors.push(tooLong("data", maxBytes));
  checkSecretType(errors, secret);
  return errors;
}

function checkSecretType(errors: Errors, secret: Loose<Secret>): void {
  const need = (...keys: readonly string[]): void => {
    for (const key of keys) if (ownValue(secret.data, key) === undefined) errors.push(required(`data[${key}]`));
  };
  switch (secret.type) {
    case "kubernetes.io/service-account-token": {
      const annotation = "kubernetes.io/service-account.name";
      if (!ownValue(secret.metadata?.annotations, annotation))
        errors.push(required(`metadata.annotations[${annotation}]`));
      return;
    }
    case "kubernetes.io/dockercfg":
      checkJsonKey(errors, secret.data, ".dockercfg");
      return;
    case "kubernetes.io/dockerconfigjson":
      checkJsonKey(errors, secret.data, ".dockerconfigjson");
      return;
    case "kubernetes.io/basic-auth":
      // Either will do.
      if (ownValue(secret.data, "username") === undefined && ownValue(secret.data, "password") === undefined) {
        need("username", "password");
      }
      return;
    case "kubernetes.io/ssh-auth":
      if (!ownValue(secret.data, "ssh-privatekey")) errors.push(required("data[ssh-privatekey]"));
      return;
    case "kubernetes.io/tls":
      need("tls.crt", "tls.key");
  }
}

function checkJsonKey(errors: Errors, data: Dictionary | undefined, key: string): void {
  const encoded = ownValue(data, key);
  if (encoded === undefined) {
    errors.push(required(`data[${key}]`));
    return;
  }
  try {
    JSON.parse(Buffer.from(encoded, "base64").toString("utf8"));
  } catch {
    // The text at fault would be part of JavaScript's message, and it is secret.
    const why = encoded === "" ? "unexpected end of JSON input" : "invalid character in JSON";
    errors.push(invalid(`data[${key}]`, redacted, why));
  }
}

export function validateSecretUpdate(secret: Loose<Secret>, old: Loose<Secret>): readonly FieldError[] {
  const errors: Errors = [];
  checkImmutable(errors, "type", secret.type, old.type);
  if (old.immutable !== true) return errors;
  if (secret.immutable !== true) errors.push(forbidden("immutable", immutableDetail));
  if (!semanticallyEqual(secret.data, old.data, true)) errors.push(forbidden("data", immutableDetail));
  return errors;
}

function decodedLength(base64: string): number {
  return Buffer.byteLength(base64, "base64");
}
