import { invalid, required } from "../field-error.js";
import { checkSubdomain, type Errors } from "./checks.js";

const pathFormat = "[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+";
const wholePath = new RegExp(`^${pathFormat}$`);

/** The name of a program: a domain and a path of its owner's choice, `acme.io/foo`. */
export function checkDomainPrefixedPath(errors: Errors, path: string, text: string): void {
  if (text === "") {
    errors.push(required(path));
    return;
  }
  const slash = text.indexOf("/");
  const [domain, rest] = slash < 0 ? ["", ""] : [text.slice(0, slash), text.slice(slash + 1)];
  if (domain === "" || rest === "") {
    errors.push(invalid(path, text, 'must be a domain-prefixed path (such as "acme.io/foo")'));
    return;
  }
  checkSubdomain(errors, path, domain);
  if (!wholePath.test(rest)) {
    errors.push(invalid(path, rest, `Invalid path (regex used for validation is '${pathFormat}')`));
  }
}
