import { describe, expect, it } from "vitest";
import { ConfigurationError } from "../../api/configuration-shape.js";
import { parseEncryptionConfiguration } from "./configuration.js";

const secret = Buffer.alloc(32, 7).toString("base64");
const keys = [{ name: "key1", secret }];
const withRules = (...resources: object[]): string =>
  JSON.stringify({ apiVersion: "apiserver.config.k8s.io/v1", kind: "EncryptionConfiguration", resources });
const withProvider = (provider: object): string => withRules({ resources: ["secrets"], providers: [provider] });
const withNames = (...resources: string[]): string => withRules({ resources, providers: [{ identity: {} }] });
const names = (...resources: string[]): object => ({ resources, providers: [{ identity: {} }] });

describe("parseEncryptionConfiguration", () => {
  it("reads YAML", () => {
    const text = `
apiVersion: apiserver.config.k8s.io/v1
kind: EncryptionConfiguration
resources:
  - resources: [secrets, "*.apps"]
    providers:
      - secretbox:
          keys:
            - name: key1
              secret: ${secret}
      - identity: {}
`;
    expect(parseEncryptionConfiguration(text)).toEqual([
      {
        resources: ["secrets", "*.apps"],
        providers: [{ type: "secretbox", keys: [{ name: "key1", secret: Buffer.alloc(32, 7) }] }, { type: "identity" }],
      },
    ]);
  });

  const provider = "resources[0].providers[0]";
  it.each([
    ["no rule", withRules(), "resources: Required value: at least one resource must be configured"],
    ["another kind", withRules(names("a")).replace("EncryptionC", "C"), 'kind: Unsupported value: "Configuration"'],
    ["an unknown field", withProvider({ rot13: {} }), 'unknown field "resources[0].providers[0].rot13"'],
    ["no resource", withRules(names()), "resources[0].resources: Required value"],
    ["no provider", withRules({ resources: ["secrets"] }), "resources[0].providers: Required value"],
    ["an empty provider", withProvider({}), `${provider}: Required value`],
    [
      "two providers in one",
      withProvider({ identity: {}, aesgcm: { keys } }),
      `${provider}: Invalid value: ["identity","aesgcm"]`,
    ],
    ["kms", withProvider({ kms: { name: "x" } }), `${provider}.kms: Forbidden: this server has no kms providers`],
    ["no keys", withProvider({ aescbc: {} }), `${provider}.aescbc.keys: Required value`],
    [
      "a key without a name",
      withProvider({ aescbc: { keys: [{ secret }] } }),
      `${provider}.aescbc.keys[0].name: Required value`,
    ],
    ["a key without a secret", withProvider({ aescbc: { keys: [{ name: "a" }] } }), "keys[0].secret: Required value"],
    [
      "a secret that is no base64",
      withProvider({ aesgcm: { keys: [{ name: "a", secret: "top secret" }] } }),
      'keys[0].secret: Invalid value: "REDACTED": secrets must be base64 encoded',
    ],
    [
      "a short secret",
      withProvider({ secretbox: { keys: [{ name: "a", secret: "YWJj" }] } }),
      'keys[0].secret: Invalid value: "REDACTED": secret is not of the expected length, got 3, expected one of [32]',
    ],
    ["a lone asterisk", withNames("*"), "resources[0].resources[0]: Invalid value: \"*\": use '*.'"],
    ["capitals", withNames("Secrets"), "should be lower case"],
    ["events by another name", withNames("*.events.k8s.io"), "use 'events' instead"],
    ["a resource twice", withNames("secrets", "secrets"), "cannot be specified multiple times"],
    ["a resource beside its group", withNames("secrets", "*."), "using overlapping resources"],
    [
      "a rule that an earlier one masks",
      withRules(names("*.apps"), names("deployments.apps")),
      'resources[1].resources[0]: Forbidden: masked by the earlier rule "*.apps"',
    ],
    ["a rule behind all", withRules(names("*.*"), names("secrets")), 'masked by the earlier rule "*.*"'],
  ])("refuses %s", (_, text, message) => {
    expect(() => parseEncryptionConfiguration(text)).toThrow(ConfigurationError);
    expect(() => parseEncryptionConfiguration(text)).toThrow(message);
  });

  it("never shows a secret", () => {
    const text = withProvider({ aesgcm: { keys: [{ name: "a", secret: 4711 }] } });
    expect(() => parseEncryptionConfiguration(text)).toThrow(/^(?!.*4711).*REDACTED/);
  });
});
