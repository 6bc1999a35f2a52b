import { invalid, required, tooLong } from "../field-error.js";
import { validateDns1123Label, validateDns1123Subdomain } from "../names.js";
import type { Errors } from "./checks.js";

const maxDomain = 253;
const maxSignerName = maxDomain + 1 + 253 + 63 + 1;

/** Signers have names with a domain of two labels or more, and a path: `example.com/name`. */
export function checkSignerName(errors: Errors, path: string, name: string): void {
  if (name === "") {
    errors.push(required(path));
    return;
  }
  const [domain = "", signer = "", ...surplus] = name.split("/");
  if (surplus.length > 0 || !name.includes("/")) {
    errors.push(invalid(path, name, "must be a fully qualified domain and path of the form 'example.com/signer-name'"));
    return;
  }
  if (domain.length > maxDomain) errors.push(tooLong(path, maxDomain));
  checkParts(errors, path, domain, validateDns1123Label);
  if (!domain.includes(".")) {
    errors.push(invalid(path, domain, "should be a domain with at least two segments separated by dots"));
  }
  checkParts(errors, path, signer, validateDns1123Subdomain);
  if (name.length > maxSignerName) errors.push(tooLong(path, maxSignerName));
}

/** Only the first bad part is told: the messages of others would not say which they mean. */
function checkParts(errors: Errors, path: string, text: string, validate: (part: string) => readonly string[]): void {
  for (const part of text.split(".")) {
    const messages = validate(part);
    for (const message of messages) {
      errors.push(invalid(path, text, `validating label ${JSON.stringify(part)}: ${message}`));
    }
    if (messages.length > 0) return;
  }
}
