/**
 * The formats of names and their messages. Each check gives every complaint, in upstream's words; an empty result is a
 * good value. All patterns run in linear time, and lengths are checked before patterns.
 */

const labelFormat = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const subdomainFormat = `${labelFormat}(\\.${labelFormat})*`;
const searchLabelFormat = "_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?";
const searchDomainFormat = `${searchLabelFormat}(\\.${searchLabelFormat})*`;
const label1035Format = "[a-z]([-a-z0-9]*[a-z0-9])?";
const qualifiedNameFormat = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
const labelValueFormat = `(${qualifiedNameFormat})?`;
const wildcardFormat = `\\*\\.${subdomainFormat}`;
const configMapKeyFormat = "[-._a-zA-Z0-9]+";
const headerFormat = "[-A-Za-z0-9]+";
const percentFormat = "[0-9]+%";

const qualifiedNameMessage =
  "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";

const labelPattern = whole(labelFormat);
const subdomainPattern = whole(subdomainFormat);
const searchDomainPattern = whole(searchDomainFormat);
const label1035Pattern = whole(label1035Format);
const namePattern = whole(qualifiedNameFormat);
const wildcardPattern = whole(wildcardFormat);
const envVarPattern = /^[ -<>-~]+$/;
const configMapKeyPattern = whole(configMapKeyFormat);
const headerPattern = whole(headerFormat);
const percentPattern = whole(percentFormat);

// Beyond this no pattern is tried: every format's own limit is lower, and the answer is "too long" anyway.
const patternLimit = 4096;

/** RFC 1123 label: at most 63 of `a-z0-9-`. Names of namespaces, containers, volumes. */
export function validateDns1123Label(value: string): readonly string[] {
  const errors = lengthErrors(value, 63);
  if (!matches(labelPattern, value)) {
    errors.push(
      matches(subdomainPattern, value)
        ? "must not contain dots"
        : patternError(
            "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character",
            labelFormat,
            ["my-name", "123-abc"],
          ),
    );
  }
  return errors;
}

/** RFC 1123 subdomain: at most 253 of `a-z0-9-.`. Most object names. */
export function validateDns1123Subdomain(value: string): readonly string[] {
  return subdomainErrors(value, "characters");
}

function subdomainErrors(value: string, unit: LengthUnit): readonly string[] {
  const errors = lengthErrors(value, 253, unit);
  if (!matches(subdomainPattern, value)) {
    errors.push(
      patternError(
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
        subdomainFormat,
        ["example.com"],
      ),
    );
  }
  return errors;
}

/** RFC 1035 label: like an RFC 1123 label that starts with a letter. Names of Services. */
export function validateDns1035Label(value: string): readonly string[] {
  const errors = lengthErrors(value, 63);
  if (!matches(label1035Pattern, value)) {
    errors.push(
      patternError(
        "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character",
        label1035Format,
        ["my-name", "abc-123"],
      ),
    );
  }
  return errors;
}

/** An RFC 1123 subdomain whose labels may have underscores: search domains of DNS. */
export function validateDnsSearchDomain(value: string): readonly string[] {
  const errors = lengthErrors(value, 253);
  if (!matches(searchDomainPattern, value)) {
    errors.push(
      patternError(
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start and end with an alphanumeric character",
        searchDomainFormat,
        ["example.com"],
      ),
    );
  }
  return errors;
}

/** `*.` and a subdomain. Hosts of Ingresses. */
export function validateWildcardDns1123Subdomain(value: string): readonly string[] {
  const errors = lengthErrors(value, 253);
  if (!matches(wildcardPattern, value)) {
    errors.push(
      patternError(
        "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character",
        wildcardFormat,
        ["*.example.com"],
      ),
    );
  }
  return errors;
}

/** A label's or annotation's key, a condition's type, a resource's name: `[prefix/]name`. */
export function validateQualifiedName(value: string): readonly string[] {
  const errors: string[] = [];
  const parts = value.split("/", 3);
  if (parts.length > 2) {
    const what = patternError(qualifiedNameMessage, qualifiedNameFormat, ["MyName", "my.name", "123-abc"]);
    return [`a valid label key ${what} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`];
  }
  const [prefix, name = prefix] = parts;
  if (parts.length === 2) {
    if (prefix === "") errors.push("prefix part must be non-empty");
    else for (const error of subdomainErrors(prefix ?? "", "bytes")) errors.push(`prefix part ${error}`);
  }
  const text = name ?? "";
  if (text === "") errors.push("name part must be non-empty");
  else for (const error of lengthErrors(text, 63, "bytes")) errors.push(`name part ${error}`);
  if (!matches(namePattern, text)) {
    const what = patternError(qualifiedNameMessage, qualifiedNameFormat, ["MyName", "my.name", "123-abc"]);
    errors.push(`name part ${what}`);
  }
  return errors;
}

export function validateLabelValue(value: string): readonly string[] {
  const errors = lengthErrors(value, 63, "bytes");
  if (value !== "" && !matches(namePattern, value)) {
    errors.push(
      patternError(
        "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
        labelValueFormat,
        ["MyValue", "my_value", "12345"],
      ),
    );
  }
  return errors;
}

/** The relaxed rule (stable since 1.34): any printable ASCII but `=`. */
export function validateEnvVarName(value: string): readonly string[] {
  if (value === "") return ["environment variable name must be non-empty"];
  if (envVarPattern.test(value)) return [];
  return ["a valid environment variable name must consist only of printable ASCII characters other than '='"];
}

/** Keys of ConfigMaps and Secrets, which become file names. */
export function validateConfigMapKey(value: string): readonly string[] {
  const errors = lengthErrors(value, 253);
  if (!matches(configMapKeyPattern, value)) {
    errors.push(
      patternError("a valid config key must consist of alphanumeric characters, '-', '_' or '.'", configMapKeyFormat, [
        "key.name",
        "KEY_NAME",
        "key-name",
      ]),
    );
  }
  if (value === ".") errors.push("must not be '.'");
  else if (value === "..") errors.push("must not be '..'");
  else if (value.startsWith("..")) errors.push("must not start with '..'");
  return errors;
}

export function validateHttpHeaderName(value: string): readonly string[] {
  if (matches(headerPattern, value)) return [];
  return [
    patternError("a valid HTTP header must consist of alphanumeric characters or '-'", headerFormat, ["X-Header-Name"]),
  ];
}

/** IANA service name (RFC 6335): names of ports. */
export function validatePortName(value: string): readonly string[] {
  const errors = lengthErrors(value, 15);
  if (!/^[-a-z0-9]+$/.test(value)) {
    errors.push("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)");
  }
  if (!/[a-z]/.test(value)) errors.push("must contain at least one letter (a-z)");
  if (value.includes("--")) errors.push("must not contain consecutive hyphens");
  if (value.startsWith("-") || value.endsWith("-")) errors.push("must not begin or end with a hyphen");
  return errors;
}

export function validatePortNumber(value: number): readonly string[] {
  return validateRange(value, 1, 65535);
}

/** Whether a number is within both bounds. */
export function validateRange(value: number, min: number, max: number): readonly string[] {
  return value >= min && value <= max ? [] : [`must be between ${min} and ${max}, inclusive`];
}

export function validatePercent(value: string): readonly string[] {
  if (matches(percentPattern, value)) return [];
  return [
    patternError("a valid percent string must be a numeric string followed by an ending '%'", percentFormat, [
      "1%",
      "93%",
    ]),
  ];
}

function whole(format: string): RegExp {
  return new RegExp(`^(?:${format})$`);
}

function matches(pattern: RegExp, value: string): boolean {
  return value.length <= patternLimit && pattern.test(value);
}

/** Upstream counts bytes everywhere, and says so where the rules of labels apply. */
type LengthUnit = "bytes" | "characters";

function lengthErrors(value: string, max: number, unit: LengthUnit = "characters"): string[] {
  return byteLengthOver(value, max) ? [`must be no more than ${max} ${unit}`] : [];
}

function byteLengthOver(value: string, max: number): boolean {
  if (value.length > max) return true;
  return value.length * 3 > max && Buffer.byteLength(value) > max;
}

// The stray space before `or` is upstream's.
function patternError(message: string, format: string, examples: readonly string[]): string {
  const shown = examples.map((example) => `'${example}', `).join(" or ");
  return `${message} (e.g. ${shown}regex used for validation is '${format}')`;
}
