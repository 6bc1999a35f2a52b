import { invalid, required } from "../../field-error.js";
import type { PodSpec } from "../../gen/types.js";
import { validateDnsSearchDomain } from "../../names.js";
import { addInvalid, checkRequired, type Errors } from "../checks.js";
import { checkIp } from "../ip.js";
import type { Loose } from "../loose.js";

// What libc can do.
const maxNameservers = 3;
const maxSearches = 32;
const maxSearchCharacters = 2048;

export function checkDns(errors: Errors, path: string, spec: Loose<PodSpec>): void {
  const { dnsPolicy, dnsConfig } = spec;
  if (dnsPolicy === "None") {
    if (dnsConfig === undefined) {
      errors.push(required(path, "must provide `dnsConfig` when `dnsPolicy` is None"));
      return;
    }
    if ((dnsConfig.nameservers?.length ?? 0) === 0) {
      const why = "must provide at least one DNS nameserver when `dnsPolicy` is None";
      errors.push(required(`${path}.nameservers`, why));
      return;
    }
  }
  const { nameservers = [], searches = [], options = [] } = dnsConfig ?? {};
  if (nameservers.length > maxNameservers) {
    const why = `must not have more than ${maxNameservers} nameservers`;
    errors.push(invalid(`${path}.nameservers`, nameservers, why));
  }
  nameservers.forEach((address, index) => {
    checkIp(errors, `${path}.nameservers[${index}]`, address);
  });
  if (searches.length > maxSearches) {
    errors.push(invalid(`${path}.searches`, searches, `must not have more than ${maxSearches} search paths`));
  }
  if (searches.join(" ").length > maxSearchCharacters) {
    const why = `must not have more than ${maxSearchCharacters} characters (including spaces) in the search list`;
    errors.push(invalid(`${path}.searches`, searches, why));
  }
  searches.forEach((search, index) => {
    // A lone dot is the root.
    if (search === ".") return;
    const domain = search.endsWith(".") ? search.slice(0, -1) : search;
    addInvalid(errors, `${path}.searches[${index}]`, domain, validateDnsSearchDomain(domain));
  });
  options.forEach((option, index) => {
    checkRequired(errors, `${path}.options[${index}]`, option.name, "must not be empty");
  });
}
