import { invalid, required } from "../field-error.js";
import type { AdmissionregistrationWebhookClientConfig, ApiextensionsWebhookClientConfig } from "../gen/types.js";
import { validateDns1035Label, validateDns1123Subdomain, validatePortNumber } from "../names.js";
import { addInvalid, checkRequired, type Errors } from "./checks.js";
import type { Loose } from "./loose.js";

type Config = Loose<AdmissionregistrationWebhookClientConfig> | Loose<ApiextensionsWebhookClientConfig>;
type ServiceReference = NonNullable<Config["service"]>;

const known: readonly string[] = ["v1", "v1beta1"];

/** Where a webhook is: at a URL or behind a Service. */
export function checkWebhookClient(errors: Errors, path: string, config: Config): void {
  const { service, url } = config;
  if (url === undefined && service !== undefined) checkService(errors, `${path}.service`, service);
  else if (url !== undefined && service === undefined) checkUrl(errors, `${path}.url`, url);
  else errors.push(required(path, "exactly one of url or service is required"));
}

/** Versions of reviews that a webhook understands. One that was stored without a version known here may stay so. */
export function checkReviewVersions(
  errors: Errors,
  path: string,
  versions: readonly string[],
  { recognized, missing }: { readonly recognized: boolean; readonly missing: string },
): void {
  if (versions.length === 0) {
    errors.push(required(path, missing));
    return;
  }
  versions.forEach((version, index) => {
    const at = `${path}[${index}]`;
    if (versions.indexOf(version) < index) errors.push(invalid(at, version, "duplicate version"));
    else addInvalid(errors, at, version, validateDns1035Label(version));
  });
  if (recognized && !isRecognized(versions)) {
    errors.push(invalid(path, versions, `must include at least one of ${known.join(", ")}`));
  }
}

export function isRecognized(versions: readonly string[]): boolean {
  return versions.some((version) => known.includes(version));
}

function checkService(errors: Errors, path: string, service: ServiceReference): void {
  checkRequired(errors, `${path}.name`, service.name, "service name is required");
  checkRequired(errors, `${path}.namespace`, service.namespace, "service namespace is required");
  const port = service.port ?? 0;
  const wrong = validatePortNumber(port);
  if (wrong.length > 0) errors.push(invalid(`${path}.port`, port, `port is not valid: ${wrong.join(", ")}`));
  checkPath(errors, `${path}.path`, service.path ?? "");
}

function checkPath(errors: Errors, path: string, text: string): void {
  if (text === "" || text === "/") return;
  if (text === "//") {
    errors.push(invalid(path, text, "segment[0] may not be empty"));
    return;
  }
  if (!text.startsWith("/")) errors.push(invalid(path, text, "must start with a '/'"));
  const segments = text.slice(1).replace(/\/$/, "").split("/");
  segments.forEach((segment, index) => {
    if (segment === "") errors.push(invalid(path, text, `segment[${index}] may not be empty`));
    else
      addInvalid(
        errors,
        path,
        text,
        validateDns1123Subdomain(segment).map((why) => `segment[${index}]: ${why}`),
      );
  });
}

// The parts of RFC 3986's own expression, which takes whatever it is given.
const parts = /^(?:([^:/?#]+):)?(?:\/\/([^/?#]*))?[^?#]*(?:\?([^#]*))?(?:#(.*))?$/s;

function checkUrl(errors: Errors, path: string, text: string): void {
  const form = "; desired format: https://host[/path]";
  const wrong = unparsable(text);
  if (wrong !== undefined) {
    errors.push(required(path, `url must be a valid URL: parse ${JSON.stringify(text)}: ${wrong}${form}`));
    return;
  }
  const [, scheme = "", authority = "", query = "", fragment = ""] = parts.exec(text) ?? [];
  const at = authority.lastIndexOf("@");
  const host = authority.slice(at + 1);
  if (scheme.toLowerCase() !== "https") {
    errors.push(invalid(path, scheme.toLowerCase(), `'https' is the only allowed URL scheme${form}`));
  }
  if (host === "") errors.push(invalid(path, host, `host must be provided${form}`));
  if (at >= 0) errors.push(invalid(path, authority.slice(0, at), "user information is not permitted in the URL"));
  if (fragment !== "") errors.push(invalid(path, fragment, "fragments are not permitted in the URL"));
  if (query !== "") errors.push(invalid(path, query, "query parameters are not permitted in the URL"));
}

/** Why upstream's parser, which takes more than a browser's, would not take a URL. */
function unparsable(text: string): string | undefined {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(text)) return "net/url: invalid control character in URL";
  if (text.startsWith(":")) return "missing protocol scheme";
  const escaped = /%(?![0-9a-fA-F]{2}).{0,2}/s.exec(text)?.[0];
  if (escaped !== undefined) return `invalid URL escape ${JSON.stringify(escaped)}`;
  const host = /^[^/?#]*\/\/(?:[^/?#]*@)?([^/?#]*)/.exec(text)?.[1] ?? "";
  if (host.includes(" ")) return `invalid character " " in host name`;
  const port = /:[^:\]]*$/.exec(host)?.[0] ?? "";
  return /^(:[0-9]*)?$/.test(port) ? undefined : `invalid port ${JSON.stringify(port)} after host`;
}
