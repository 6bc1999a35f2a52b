import { describe, expect, test } from "vitest";
import { jwtOfFlags, type OidcFlags } from "./oidc-flags.js";
import { compileAuthentication, readAuthenticationConfiguration } from "./read-configuration.js";

const ours = "https://kubernetes.default.svc.cluster.local";
const head = "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\n";

const compile = (text: string) => compileAuthentication(readAuthenticationConfiguration(text), [ours]);

/** One issuer that is good, with lines in the place of its own. */
function issuer(change: Readonly<Record<string, string>> = {}): string {
  const fields = {
    issuer: "{url: https://a.example.com, audiences: [api]}",
    claimMappings: "{username: {claim: sub, prefix: ''}}",
    ...change,
  };
  const lines = Object.entries(fields).map(([name, text]) => `${name}: ${text}`);
  return `- ${lines.join("\n  ")}\n`;
}

describe("an AuthenticationConfiguration", () => {
  test.each([
    ["of nobody", "", { jwt: 0 }],
    ["of one issuer", `jwt:\n${issuer()}`, { jwt: 1 }],
    ["that says whom it lets in", "anonymous: {enabled: true, conditions: [{path: /healthz}]}\njwt:\n", { jwt: 0 }],
  ])("%s is read", (_, text, { jwt }) => {
    expect(compile(head + text).jwt).toHaveLength(jwt);
  });

  test.each([
    ["no YAML", "{", "Flow map"],
    ["another kind", "apiVersion: v1\nkind: Config", "want kind AuthenticationConfiguration of apiVersion"],
    ["a field that nobody knows", `${head}jwts: []`, 'strict decoding error: unknown field "jwts"'],
    ["a list that is none", `${head}jwt: {}`, "jwt: Invalid value: {}: want a list"],
    ["conditions for nobody", `${head}anonymous: {conditions: [{path: /a}]}`, "anonymous.conditions: Invalid value"],
    [
      "the same issuer twice",
      `${head}jwt:\n${issuer()}${issuer()}`,
      'jwt[1].issuer.url: Duplicate value: "https://a.example.com"',
    ],
    ["too many", `${head}jwt:\n${issuer().repeat(65)}`, "jwt: Too many: 65: must have at most 64 items"],
  ])("with %s is refused", (_, text, message) => {
    expect(() => compile(text)).toThrow(message);
  });

  test.each<[field: string, text: string, message: string]>([
    ["issuer", "{audiences: [api]}", "jwt[0].issuer.url: Required value"],
    ["issuer", `{url: ${ours}, audiences: [api]}`, "URL must not overlap with disallowed issuers: [https://kubernetes"],
    ["issuer", "{url: 'http://a.example.com', audiences: [api]}", "URL scheme must be https"],
    ["issuer", "{url: 'https://u:p@a.example.com', audiences: [api]}", "must not contain a username or password"],
    ["issuer", "{url: 'https://a.example.com?q', audiences: [api]}", "URL must not contain a query"],
    ["issuer", "{url: 'https://a.example.com#f', audiences: [api]}", "URL must not contain a fragment"],
    [
      "issuer",
      "{url: https://a.example.com, discoveryURL: https://a.example.com/, audiences: [api]}",
      "jwt[0].issuer.discoveryURL: Invalid value",
    ],
    ["issuer", "{url: https://a.example.com}", "jwt[0].issuer.audiences: Required value"],
    ["issuer", "{url: https://a.example.com, audiences: [a, b]}", "must be MatchAny for multiple audiences"],
    [
      "issuer",
      "{url: https://a.example.com, audiences: [a, a], audienceMatchPolicy: MatchAny}",
      "audiences[1]: Duplicate",
    ],
    [
      "issuer",
      "{url: https://a.example.com, audiences: [a], certificateAuthority: x}",
      'jwt[0].issuer.certificateAuthority: Invalid value: "<omitted>"',
    ],
    ["claimMappings", "{}", "jwt[0].claimMappings.username: Required value: claim or expression is required"],
    ["claimMappings", "{username: {claim: sub}}", "jwt[0].claimMappings.username.prefix: Required value"],
    ["claimMappings", "{username: {claim: sub, expression: a}}", "claim and expression can't both be set"],
    [
      "claimMappings",
      "{username: {expression: claims.sub, prefix: a}}",
      'username.prefix: Invalid value: "a": may not be specified when expression is set',
    ],
    [
      "claimMappings",
      "{username: {expression: clams.sub}}",
      'jwt[0].claimMappings.username.expression: Invalid value: "clams.sub": compilation failed: ERROR: <input>:1:1',
    ],
    ["claimMappings", "{username: {expression: claims.email}}", "claims.email_verified must be used in"],
    [
      "claimMappings",
      "{username: {claim: sub, prefix: ''}, extra: [{key: foo, valueExpression: claims.a}]}",
      'claimMappings.extra[0].key: Invalid value: "foo": must be a domain-prefixed path',
    ],
    [
      "claimMappings",
      "{username: {claim: sub, prefix: ''}, extra: [{key: example.com/Foo, valueExpression: claims.a}]}",
      "must be lowercase",
    ],
    [
      "claimMappings",
      "{username: {claim: sub, prefix: ''}, extra: [{key: authentication.k8s.io/a, valueExpression: claims.a}]}",
      "are reserved for Kubernetes use",
    ],
    [
      "claimMappings",
      "{username: {claim: sub, prefix: ''}, extra: [{key: example.com/a}]}",
      "extra[0].valueExpression: Required value",
    ],
    ["claimMappings", "{username: {claim: sub, prefix: ''}, uid: {claim: a, expression: b}}", "claimMappings.uid"],
    ["claimValidationRules", "[{}]", "jwt[0].claimValidationRules[0]: Required value"],
    ["claimValidationRules", "[{claim: a, message: b}]", "claimValidationRules[0].message: Invalid value"],
    ["claimValidationRules", "[{claim: a}, {claim: a}]", "claimValidationRules[1].claim: Duplicate value"],
    ["claimValidationRules", "[{expression: 'true', requiredValue: b}]", "[0].requiredValue: Invalid value"],
    [
      "claimValidationRules",
      "[{expression: claims.a}]",
      'claimValidationRules[0].expression: Invalid value: "claims.a": must evaluate to bool',
    ],
    ["userValidationRules", "[{}]", "userValidationRules[0].expression: Required value"],
    ["userValidationRules", "[{expression: claims.a}]", "userValidationRules[0].expression: Invalid value"],
    [
      "userValidationRules",
      "[{expression: 'true'}, {expression: 'true'}]",
      "userValidationRules[1].expression: Duplicate",
    ],
  ])("whose %s is %s is refused", (field, text, message) => {
    expect(() => compile(`${head}jwt:\n${issuer({ [field]: text })}`)).toThrow(message);
  });

  test("may name people by mail where it asks whether the address is theirs", () => {
    const claimMappings = "{username: {expression: claims.email}}";
    const claimValidationRules = "[{expression: 'claims.?email_verified.orValue(true) == true'}]";
    expect(compile(`${head}jwt:\n${issuer({ claimMappings, claimValidationRules })}`).jwt).toHaveLength(1);
  });
});

describe("flags for one issuer", () => {
  const some: OidcFlags = { oidcIssuerUrl: "https://a.example.com", oidcClientId: "api" };

  test.each<[string, OidcFlags, object]>([
    ["no more", {}, { username: { claim: "sub", prefix: "https://a.example.com#" } }],
    ["mail", { oidcUsernameClaim: "email" }, { username: { claim: "email", prefix: "" } }],
    ["no prefix", { oidcUsernamePrefix: "-" }, { username: { claim: "sub", prefix: "" } }],
    [
      "groups",
      { oidcUsernamePrefix: "o:", oidcGroupsClaim: "g" },
      { username: { claim: "sub", prefix: "o:" }, groups: { claim: "g", prefix: "" } },
    ],
  ])("with %s", (_, flags, claimMappings) => {
    expect(jwtOfFlags({ ...some, ...flags }, undefined)).toMatchObject({
      issuer: { url: "https://a.example.com", audiences: ["api"] },
      claimMappings,
    });
  });

  test.each<[string, OidcFlags, string]>([
    ["no client", { oidcClientId: undefined }, "must be specified together"],
    ["a claim without a value", { oidcRequiredClaim: ["hd"] }, '"hd" is no key=value'],
  ])("with %s are refused", (_, flags, message) => {
    expect(() => jwtOfFlags({ ...some, ...flags }, undefined)).toThrow(message);
  });
});
