import { describe, expect, it } from "vitest";
import type { JsonObject } from "../../object.js";
import { created, updated, withPath } from "../testing.js";

const kind = "certificates.k8s.io/certificatesigningrequests";
// Made by `openssl req -new`, of keys that nobody has any more.
const bodies = {
  ecdsa:
    "MIHaMIGBAgEAMB8xDTALBgNVBAMMBGFubmExDjAMBgNVBAoMBXN0YWZmMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEySKIXdfIelM67ZIevDLl+CoJCE4UwAh7zuhVzZ4yyazkzGiCe003iW94KlqwjqS302GW6VKepeLAor/3p63YtaAAMAoGCCqGSM49BAMCA0gAMEUCIQDvWHl69H0hzZQvmWBi+k5Ipu/p+jIYOSHdG7ybZEKNKgIgZlbYsHY1G0P6xy/Lo2w0j8B2H+75BvDB4oISVA7+tpg=",
  ed25519:
    "MIGeMFICAQAwHzENMAsGA1UEAwwEYW5uYTEOMAwGA1UECgwFc3RhZmYwKjAFBgMrZXADIQC6xp2mcOaeqO+9E2lwweyCNpgV7cJTUsoonPFvnpN5cKAAMAUGAytlcANBABrDwmJJMICGOGXoWAAYYA/QpfgY/RGYAW4B0u/5CmTjQLak5pM3DQNDnraWwou84y9TeiXLuiGUnX6Rbf6S1gA=",
  rsa: "MIIBXjCByAIBADAfMQ0wCwYDVQQDDARhbm5hMQ4wDAYDVQQKDAVzdGFmZjCBnzANBgkqhkiG9w0BAQEFAAOBjQAwgYkCgYEAxJzvKxx1En5neY+MVF6gzMmvdyUBILfvspfV4twO5vAZu1N3zLyaiVo5vZBfQ89rCPrKJbL+Ss78uiDfGwP91qNHtapyP0o/yHlO7Ub5W8srPh8jkEk2ILzvldfcmFd9SwoRJMJBy0LK0rdSqnaSL4MeLiXb7D3hWTmm3eEc5NUCAwEAAaAAMA0GCSqGSIb3DQEBCwUAA4GBAHvNQExHmdoED7D8c/0451hIO+5at5iL9MTF+IEfTb5dwHN4A3sgH6NH8nop/1en8BVLWevw8ipzPYdFflM7Qr1hchpX+ktRxC0deymot/wJ6HQhRTs/aen4YIdysaPSkahXLoaBttn6on5bzfDYwLAkhRUw65+uOy6ACKFHVvym",
  rsaPss:
    "MIIBkjCByAIBADAfMQ0wCwYDVQQDDARhbm5hMQ4wDAYDVQQKDAVzdGFmZjCBnzANBgkqhkiG9w0BAQEFAAOBjQAwgYkCgYEAwyT9RcfjLUZgDZ7NxyagjXehwnIzsnZ8VuM4NPRAsYjGCoWVzjC0xtoUdYm9qspNg4XoJyxOfFXToNsdnao6nM4EuSpf1vVWcMA2h9lC/rlCn1tKZFS4EYmGi4QLYzDCj929lA7DHxqBLxIAtmkYwl1ZGzVJN190KZjWenIfYFUCAwEAAaAAMEEGCSqGSIb3DQEBCjA0oA8wDQYJYIZIAWUDBAIBBQChHDAaBgkqhkiG9w0BAQgwDQYJYIZIAWUDBAIBBQCiAwIBXgOBgQCrL+OmPkW8eooFksS4Ozp/wsl397oETr5sBlvui5+LyPJwH2DKXIPFATGsYiCgdZUQ/PTHndPDT15bMMrWbZyo6XPO6FxP90K/AHc2CuTmsgSioPjObeyqx1oAiI5+Hz1lLB+tnV2fyE1AGUp6r7XCbvbmw+L1mwsra0kpkPxtkQ==",
  rsaSha1:
    "MIIBXjCByAIBADAfMQ0wCwYDVQQDDARhbm5hMQ4wDAYDVQQKDAVzdGFmZjCBnzANBgkqhkiG9w0BAQEFAAOBjQAwgYkCgYEAzjih4dQe2RYc4yUuuR3/ZrVtMvBXUwfsvJX8wSxwW88biP6EZgmswwFBy/4UFu37xsHjCcQtJ1QP5VauPy3YSTWGJzPsvyyR7ryEEUa2xIrTQnNChwV5GNtB7KKzCs17G5ykoUQNDjd37YRu56yA0Pmo9yQc0n+GJkkp/b32MgUCAwEAAaAAMA0GCSqGSIb3DQEBBQUAA4GBAA+XQXwDTA/tTWE18M7D+N6L9nnJNBzGejyHVXxicY5P1ENPYaNfi8iKnAqrw0wYVS0UNNJqdFUt7iAptOR3SbhdqRjH8Tu+SA8fs+dneeJVKkftDDywlGL//T9eZT1oRiGoej+W3gqf6DrDG3NR2AGOngMp/ShtzWCcs2eMuksc",
};
const request: JsonObject = {
  metadata: { name: "anna" },
  spec: { request: inPem(bodies.ecdsa), signerName: "example.com/clients", usages: ["client auth"] },
};

function inPem(body: string, type = "CERTIFICATE REQUEST"): string {
  return Buffer.from(`-----BEGIN ${type}-----\n${body}\n-----END ${type}-----\n`).toString("base64");
}

function changed(body: string): string {
  return Buffer.from(Buffer.from(body, "base64").toString("latin1").replace("anna", "root"), "latin1").toString(
    "base64",
  );
}

function problemsOf(pem: string): readonly string[] {
  const { errors } = created(kind, withPath(request, "spec.request", pem));
  return errors.map((error) => error.replace(/^spec\.request: Invalid value: "[^"]*": /, ""));
}

function withConditions(...types: readonly string[]): JsonObject {
  return withPath(
    request,
    "status.conditions",
    types.map((type) => ({ type, status: "True" })),
  );
}

describe("certificate requests", () => {
  it("must be requests", () => {
    const given = withPath(
      withPath(withPath(request, "spec.request", "AAAA"), "spec.usages", ["signing", "signing", "x"]),
      "spec.expirationSeconds",
      60,
    );
    const { errors } = created(kind, withPath(given, "spec.signerName", "kubernetes.io/legacy-unknown"));
    expect(errors).toEqual([
      'spec.request: Invalid value: "AAAA": PEM block type must be CERTIFICATE REQUEST',
      expect.stringMatching(/^spec\.usages\[2\]: Unsupported value: "x": supported values: "any", "cert sign", /),
      'spec.usages[1]: Duplicate value: "signing"',
      'spec.signerName: Invalid value: "kubernetes.io/legacy-unknown": the legacy signerName is not allowed via this API version',
      "spec.expirationSeconds: Invalid value: 60: may not specify a duration less than 600 seconds (10 minutes)",
    ]);
  });

  it.each(Object.entries(bodies))("may be signed with %s", (_, body) => {
    expect(problemsOf(inPem(body))).toEqual([]);
  });

  it.each([
    {
      name: "for something else",
      pem: inPem(bodies.ecdsa, "CERTIFICATE"),
      why: "PEM block type must be CERTIFICATE REQUEST",
    },
    {
      name: "of another name",
      pem: inPem(bodies.ecdsa, "NEW CERTIFICATE REQUEST"),
      why: "PEM block type must be CERTIFICATE REQUEST",
    },
    { name: "cut off", pem: inPem(bodies.ecdsa.slice(0, 40)), why: "asn1: syntax error: data truncated" },
    { name: "of other data", pem: inPem("BAEA"), why: "asn1: structure error: tags don't match" },
    {
      name: "with another name than was signed",
      pem: inPem(changed(bodies.ecdsa)),
      why: "x509: ECDSA verification failure",
    },
    { name: "with another name under RSA", pem: inPem(changed(bodies.rsa)), why: "crypto/rsa: verification error" },
    {
      name: "with another name under Ed25519",
      pem: inPem(changed(bodies.ed25519)),
      why: "x509: Ed25519 verification failure",
    },
  ])("are refused $name", ({ pem, why }) => {
    expect(problemsOf(pem)).toEqual([why]);
  });

  it("keep what they ask for", () => {
    const { object, errors } = updated(kind, withPath(request, "spec.usages", ["any"]), request);
    expect(errors).toEqual([]);
    expect(object["spec"]).toEqual(request["spec"]);
  });

  it.each([
    { name: "a first decision", before: request, after: withConditions("Approved"), errors: [] },
    {
      name: "two decisions",
      before: request,
      after: withConditions("Approved", "Denied", "Approved"),
      errors: [
        'status.conditions[1].type: Invalid value: "Denied": Approved and Denied conditions are mutually exclusive',
        'status.conditions[2].type: Invalid value: "Approved": Approved and Denied conditions are mutually exclusive',
        'status.conditions[2].type: Duplicate value: "Approved"',
      ],
    },
    {
      name: "no decision after one",
      before: withConditions("Denied"),
      after: withConditions(),
      errors: ['status.conditions: Forbidden: updates may not remove a condition of type "Denied"'],
    },
    {
      name: "half a decision",
      before: request,
      after: withPath(request, "status.conditions", [{ type: "Denied", status: "False" }, { status: "True" }]),
      errors: [
        'status.conditions[0].status: Unsupported value: "False": supported values: "True"',
        "status.conditions[1].type: Required value",
      ],
    },
  ])("approval: $name", ({ before, after, errors }) => {
    const result = updated(kind, after, before, "approval");
    expect(result.errors).toEqual(errors);
  });

  it("an approval has its times", () => {
    expect(updated(kind, withConditions("Approved"), request, "approval").object).toMatchObject({
      status: {
        conditions: [{ lastUpdateTime: "2026-01-02T03:04:05Z", lastTransitionTime: "2026-01-02T03:04:05Z" }],
      },
    });
  });

  it("status decides nothing, and sets a certificate once", () => {
    const certificate = Buffer.from("-----BEGIN X-----\nAAAA\n-----END X-----\n").toString("base64");
    const set = withPath(withConditions("Approved"), "status.certificate", certificate);
    expect(updated(kind, set, request, "status").errors).toEqual([
      'status.certificate: Invalid value: "<certificate data>": only CERTIFICATE PEM blocks are allowed, found "X"',
      'status.conditions: Forbidden: updates may not add a condition of type "Approved"',
    ]);
    const approved = updated(kind, set, request, "approval").object;
    expect(updated(kind, withPath(approved, "status.certificate", ""), approved, "status").errors).toEqual([
      "status.certificate: Forbidden: updates may not modify existing certificate content",
    ]);
  });
});
