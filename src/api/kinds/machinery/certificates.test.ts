import { describe, expect, it } from "vitest";
import type { JsonObject } from "../../object.js";
import { created, updated, withPath } from "../testing.js";

const kind = "certificates.k8s.io/certificatesigningrequests";
const pem = "-----BEGIN CERTIFICATE REQUEST-----\nMIIB\n-----END CERTIFICATE REQUEST-----\n";
const request: JsonObject = {
  metadata: { name: "anna" },
  spec: { request: Buffer.from(pem).toString("base64"), signerName: "example.com/clients", usages: ["client auth"] },
};

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
