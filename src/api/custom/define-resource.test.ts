import { describe, expect, expectTypeOf, it } from "vitest";
import { defineResource } from "./define-resource.js";

const crontabs = defineResource({
  group: "stable.example.com",
  version: "v1",
  kind: "CronTab",
  shortNames: ["ct"],
  schema: {
    type: "object",
    required: ["spec"],
    properties: {
      spec: {
        type: "object",
        required: ["cronSpec"],
        properties: {
          cronSpec: { type: "string" },
          replicas: { type: "integer", default: 1 },
          policy: { type: "string", enum: ["Allow", "Forbid"] },
          port: { "x-kubernetes-int-or-string": true },
          labels: { type: "object", additionalProperties: { type: "string" } },
          steps: { type: "array", items: { type: "object", properties: { name: { type: "string" } } } },
        },
        "x-kubernetes-validations": [{ rule: "self.replicas < 10", message: "too many" }],
      },
    },
  },
});

type CronTab = NonNullable<(typeof crontabs)["objectType"]>;

describe("defineResource", () => {
  it("infers the type of the objects", () => {
    expectTypeOf<CronTab["apiVersion"]>().toEqualTypeOf<"stable.example.com/v1">();
    expectTypeOf<CronTab["spec"]["cronSpec"]>().toEqualTypeOf<string>();
    expectTypeOf<CronTab["spec"]["replicas"]>().toEqualTypeOf<number>();
    expectTypeOf<CronTab["spec"]["policy"]>().toEqualTypeOf<"Allow" | "Forbid" | undefined>();
    expectTypeOf<CronTab["spec"]["port"]>().toEqualTypeOf<string | number | undefined>();
    expectTypeOf<NonNullable<CronTab["spec"]["steps"]>[number]["name"]>().toEqualTypeOf<string | undefined>();
    expect(crontabs).toMatchObject({ resource: "crontabs", kind: "CronTab", namespaced: true });
  });

  it("gives the definition that a server takes", () => {
    expect(crontabs.definition.metadata.name).toBe("crontabs.stable.example.com");
    expect(crontabs.definition.spec.names).toEqual({
      plural: "crontabs",
      singular: "crontab",
      kind: "CronTab",
      listKind: "CronTabList",
      shortNames: ["ct"],
    });
  });

  it("validates and sets defaults as the server does", () => {
    const object = (spec: { cronSpec: string; replicas: number }) => ({
      apiVersion: "stable.example.com/v1" as const,
      kind: "CronTab" as const,
      metadata: { name: "one" },
      spec,
    });
    expect(crontabs.validate(object({ cronSpec: "* * * * *", replicas: 2 }))).toEqual([]);
    expect(crontabs.validate(object({ cronSpec: "* * * * *", replicas: 12 }))).toEqual([
      { path: "spec", reason: "FieldValueInvalid", message: 'Invalid value: "object": too many' },
    ]);
    const { replicas: _, ...spec } = object({ cronSpec: "*", replicas: 0 }).spec;
    const bare: object = { ...object({ cronSpec: "*", replicas: 0 }), spec };
    expect(crontabs.withDefaults(bare as Parameters<typeof crontabs.withDefaults>[0]).spec.replicas).toBe(1);
  });

  it("refuses what a server would refuse", () => {
    const define = () =>
      defineResource({
        group: "stable.example.com",
        version: "v1",
        kind: "Bad",
        schema: { type: "object", properties: { spec: { properties: {} } } },
      });
    expect(define).toThrow("spec.validation.openAPIV3Schema.properties[spec].type: Required value");
  });
});
