import { invalid } from "../../field-error.js";
import type { Errors } from "../checks.js";

const normalForm = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const anyCase = new RegExp(normalForm, "i");
const urn = "urn:uuid:";

/** A unique id as all of Kubernetes writes them. Other forms are known, and refused for their form. */
export function checkUuid(errors: Errors, path: string, text: string): void {
  const wrong = problemOf(text);
  if (wrong !== undefined) errors.push(invalid(path, text, `error validating uid: ${wrong}`));
  else if (!normalForm.test(text)) {
    const form = "`xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx` with lowercase hexadecimal characters";
    errors.push(invalid(path, text, `uid must be in RFC 4122 normalized form, ${form}`));
  }
}

function problemOf(text: string): string | undefined {
  switch (text.length) {
    case 36:
      return anyCase.test(text) ? undefined : "invalid UUID format";
    case 36 + urn.length: {
      const prefix = text.slice(0, urn.length);
      return prefix.toLowerCase() === urn ? problemOf(text.slice(urn.length)) : `invalid urn prefix: ${quoted(prefix)}`;
    }
    case 38:
      return /^\{.*\}$/.test(text) ? problemOf(text.slice(1, -1)) : "invalid bracketed UUID format";
    case 32:
      return /^[0-9a-f]{32}$/i.test(text) ? undefined : "invalid UUID format";
    default:
      return `invalid UUID length: ${text.length}`;
  }
}

function quoted(text: string): string {
  return JSON.stringify(text);
}
