import { describe, expect, it } from "vitest";
import { formatDurationMs, parseDurationMs } from "./duration.js";
import { percentOf, scaledIntOrPercent } from "./int-or-string.js";
import { cidrContains, formatIp, parseCidr, parseIp, validateCidr, validateIp } from "./ip.js";
import {
  validateConfigMapKey,
  validateDns1035Label,
  validateDns1123Label,
  validateDns1123Subdomain,
  validateDnsSearchDomain,
  validateEnvVarName,
  validateLabelValue,
  validatePortName,
  validateQualifiedName,
} from "./names.js";
import { canonicalMicroTimeText, canonicalTimeText, parseTimeMs } from "./time.js";

describe("names", () => {
  it.each([
    [validateDns1123Label, "web-1"],
    [validateDns1123Subdomain, "a.b-c.d"],
    [validateDns1035Label, "web"],
    [validateQualifiedName, "example.com/My_name.x"],
    [validateLabelValue, ""],
    [validateEnvVarName, "A B"],
    [validateConfigMapKey, "..a".slice(1)],
    [validatePortName, "http-2"],
  ] as const)("takes a good value", (validate, value) => {
    expect(validate(value)).toEqual([]);
  });

  it.each([
    [validateDns1123Label, "a.b", ["must not contain dots"]],
    [
      validateDns1123Label,
      "A",
      [
        "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
      ],
    ],
    [
      validateDns1123Subdomain,
      "a_b",
      [
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
      ],
    ],
    [validateDns1123Subdomain, "a".repeat(254), ["must be no more than 253 characters"]],
    [
      validateDns1035Label,
      "1a",
      [
        "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')",
      ],
    ],
    [validateQualifiedName, "a/", ["name part must be non-empty", expect.stringMatching(/^name part must consist of/)]],
    [validateQualifiedName, "a/b/c", [expect.stringMatching(/^a valid label key must consist of/)]],
    [validateLabelValue, "x".repeat(64), ["must be no more than 63 bytes"]],
    [validateQualifiedName, `${"p".repeat(254)}/n`, ["prefix part must be no more than 253 bytes"]],
    [validateQualifiedName, "n".repeat(64), ["name part must be no more than 63 bytes"]],
    [validateDnsSearchDomain, "_tcp.example_1.com", []],
    [validateDnsSearchDomain, "a._", [expect.stringMatching(/^a lowercase RFC 1123 subdomain .* '_', '-' or '.'/)]],
    [validateEnvVarName, "", ["environment variable name must be non-empty"]],
    [
      validateEnvVarName,
      "a=b",
      ["a valid environment variable name must consist only of printable ASCII characters other than '='"],
    ],
    [validateConfigMapKey, "..x", ["must not start with '..'"]],
    [
      validatePortName,
      "-1--",
      [
        "must contain at least one letter (a-z)",
        "must not contain consecutive hyphens",
        "must not begin or end with a hyphen",
      ],
    ],
  ] as const)("complains in upstream's words", (validate, value, errors) => {
    expect(validate(value)).toEqual(errors);
  });

  it("does not hang on hostile text", () => {
    expect(validateDns1123Subdomain("a-".repeat(200_000)).length).toBe(2);
    expect(validateDns1123Subdomain(`${"a-".repeat(2000)}!`).length).toBe(2);
  });
});

describe("addresses", () => {
  it.each([
    ["10.0.0.1", "10.0.0.1"],
    ["::", "::"],
    ["::1", "::1"],
    ["2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    ["::ffff:1.2.3.4", "::ffff:102:304"],
  ])("%s", (text, canonical) => {
    const address = parseIp(text);
    expect(address && formatIp(address)).toBe(canonical);
  });

  it.each(["", "1.2.3", "1.2.3.256", "01.2.3.4", "1:2:3", ":::", "1::2::3", "1:2:3:4:5:6:7:8:9", "::1%eth0"])(
    "refuses %s",
    (text) => {
      expect(validateIp(text)).toEqual(["must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"]);
    },
  );

  it("knows what a prefix contains", () => {
    const prefix = parseCidr("10.96.0.1/12");
    const inside = parseIp("10.111.255.255");
    const outside = parseIp("10.112.0.0");
    if (!prefix || !inside || !outside) throw new Error("did not parse");
    expect(cidrContains(prefix, inside)).toBe(true);
    expect(cidrContains(prefix, outside)).toBe(false);
    expect(validateCidr("10.0.0.0/33")).toHaveLength(1);
    expect(validateCidr("fd00::/64")).toEqual([]);
  });
});

describe("durations, times and percentages", () => {
  it.each([
    ["1h30m", 5_400_000, "1h30m0s"],
    ["1.5s", 1500, "1.5s"],
    ["100ms", 100, "100ms"],
    ["0", 0, "0s"],
    ["-2m", -120_000, "-2m0s"],
    ["250us", 0.25, "250µs"],
  ])("%s", (text, milliseconds, canonical) => {
    expect(parseDurationMs(text)).toBe(milliseconds);
    expect(formatDurationMs(milliseconds)).toBe(canonical);
  });

  it.each([
    ["", 'time: invalid duration ""'],
    ["3", 'time: missing unit in duration "3"'],
    ["3x", 'time: unknown unit "x" in duration "3x"'],
    [".s", 'time: invalid duration ".s"'],
  ])("refuses %s", (text, message) => {
    expect(() => parseDurationMs(text)).toThrow(message);
  });

  it("normalises times", () => {
    expect(canonicalTimeText("2024-02-29T12:00:00.9+02:00")).toBe("2024-02-29T10:00:00Z");
    expect(canonicalMicroTimeText("2024-02-29T12:00:00.123456789Z")).toBe("2024-02-29T12:00:00.123456Z");
    expect(parseTimeMs("2023-02-29T00:00:00Z")).toBeUndefined();
    expect(parseTimeMs("yesterday")).toBeUndefined();
  });

  it("scales percentages", () => {
    expect(scaledIntOrPercent("25%", 10, "up")).toBe(3);
    expect(scaledIntOrPercent("25%", 10, "down")).toBe(2);
    expect(scaledIntOrPercent(4, 10, "down")).toBe(4);
    expect(percentOf("x")).toBeUndefined();
    expect(() => scaledIntOrPercent("x", 1, "up")).toThrow("string is not a percentage");
  });
});
