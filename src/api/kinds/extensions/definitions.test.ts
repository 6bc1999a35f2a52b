import { describe, expect, it } from "vitest";
import type { JsonObject } from "../../object.js";
import { created, strategyFor, updated, withPath } from "../testing.js";

const kind = "apiextensions.k8s.io/customresourcedefinitions";
const label1035 =
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const definition = {
  metadata: { name: "foos.example.com" },
  spec: {
    group: "example.com",
    scope: "Namespaced",
    names: { plural: "foos", kind: "Foo" },
    versions: [{ name: "v1", served: true, storage: true, schema: { openAPIV3Schema: { type: "object" } } }],
  },
};
const version = "spec.versions.0";
const webhook = { clientConfig: { url: "https://h/convert" }, conversionReviewVersions: ["v1"] };
const conversion = (more: object): object => ({ strategy: "Webhook", webhook: { ...webhook, ...more } });

const creations: { name: string; path: string; value: unknown; errors: string[] }[] = [
  {
    name: "a group with no dot",
    path: "spec.group",
    value: "example",
    errors: [
      'metadata.name: Invalid value: "foos.example.com": must be spec.names.plural+"."+spec.group',
      'spec.group: Invalid value: "example": should be a domain with at least one dot',
    ],
  },
  {
    name: "names of other forms",
    path: "spec.names",
    value: { plural: "foos", singular: "-", kind: "Foo", listKind: "Foo", shortNames: ["F"], categories: ["A"] },
    errors: [
      `spec.names.singular: Invalid value: "-": ${label1035}`,
      `spec.names.shortNames[0]: Invalid value: "F": ${label1035}`,
      'spec.names.listKind: Invalid value: "Foo": kind and listKind may not be the same',
      `spec.names.categories[0]: Invalid value: "A": ${label1035}`,
    ],
  },
  {
    name: "a kind that is no label in lower case",
    path: "spec.names",
    value: { plural: "foos", singular: "foo", kind: "Foo_", listKind: "FooList" },
    errors: [`spec.names.kind: Invalid value: "Foo_": may have mixed case, but should otherwise match: ${label1035}`],
  },
  {
    name: "no kind",
    path: "spec.names",
    value: { plural: "foos" },
    errors: [
      "spec.names.singular: Required value",
      "spec.names.kind: Required value",
      "spec.names.listKind: Required value",
    ],
  },
  {
    name: "a warning of a version that is not deprecated",
    path: `${version}.deprecationWarning`,
    value: "old",
    errors: ['spec.versions[0].deprecationWarning: Invalid value: "old": can only be set for deprecated versions'],
  },
  {
    name: "replicas elsewhere",
    path: `${version}.subresources`,
    value: { scale: { specReplicasPath: ".status.a", statusReplicasPath: "a", labelSelectorPath: ".metadata.a" } },
    errors: [
      'spec.subresources.scale.specReplicasPath: Invalid value: ".status.a": should be a json path under .spec',
      'spec.subresources.scale.statusReplicasPath: Invalid value: "a": must be a simple json path starting with .',
      'spec.subresources.scale.labelSelectorPath: Invalid value: ".metadata.a": should be a json path under either .spec or .status',
    ],
  },
  {
    name: "columns of other types and paths",
    path: `${version}.additionalPrinterColumns`,
    value: [
      { name: "A", type: "int", jsonPath: "spec.a" },
      { name: "B", type: "string" },
    ],
    errors: [
      'spec.additionalPrinterColumns[0].type: Invalid value: "int": must be one of boolean,date,integer,number,string',
      'spec.additionalPrinterColumns[0].JSONPath: Invalid value: "spec.a": must be a simple json path starting with .',
      "spec.additionalPrinterColumns[1].JSONPath: Required value",
    ],
  },
  {
    name: "a webhook with no place",
    path: "spec.conversion",
    value: { strategy: "Webhook" },
    errors: [
      "spec.conversion.webhookClientConfig: Required value: required when strategy is set to Webhook",
      "spec.conversion.conversionReviewVersions: Required value",
    ],
  },
  {
    name: "a webhook at two places",
    path: "spec.conversion",
    value: conversion({ clientConfig: { url: "https://h", service: { name: "a", namespace: "b" } } }),
    errors: ["spec.conversion.webhookClientConfig: Required value: exactly one of url or service is required"],
  },
  {
    name: "a webhook that understands nothing",
    path: "spec.conversion",
    value: conversion({ conversionReviewVersions: ["v2", "v2"] }),
    errors: [
      'spec.conversion.conversionReviewVersions[1]: Invalid value: "v2": duplicate version',
      'spec.conversion.conversionReviewVersions: Invalid value: ["v2","v2"]: must include at least one of v1, v1beta1',
    ],
  },
  {
    name: "a webhook that is not asked",
    path: "spec.conversion",
    value: { strategy: "None", webhook },
    errors: [
      "spec.conversion.webhookClientConfig: Forbidden: should not be set when strategy is not set to Webhook",
      "spec.conversion.conversionReviewVersions: Forbidden: should not be set when strategy is not set to Webhook",
    ],
  },
  {
    name: "a group of the project",
    path: "spec.group",
    value: "x.k8s.io",
    errors: [
      'metadata.name: Invalid value: "foos.example.com": must be spec.names.plural+"."+spec.group',
      'metadata.annotations[api-approved.kubernetes.io]: Required value: protected groups must have approval annotation "api-approved.kubernetes.io", see https://github.com/kubernetes/enhancements/pull/1111',
    ],
  },
];

describe("definitions", () => {
  it("are good", () => {
    expect(created(kind, definition).errors).toEqual([]);
    expect(created(kind, withPath(definition, "spec.conversion", conversion({}))).errors).toEqual([]);
  });

  it.each(creations)("$name", ({ path, value, errors }) => {
    expect(created(kind, withPath(definition, path, value)).errors).toEqual(errors);
  });

  it("of groups of the project have a word for it", () => {
    const own = withPath(withPath(definition, "spec.group", "x.k8s.io"), "metadata.name", "foos.x.k8s.io");
    const annotated = (text: string): string[] =>
      created(kind, withPath(own, "metadata.annotations", { "api-approved.kubernetes.io": text })).errors;
    expect(annotated("unapproved, a test")).toEqual([]);
    expect(annotated("https://github.com/a/b/pull/1")).toEqual([]);
    expect(annotated("yes")).toEqual([
      'metadata.annotations[api-approved.kubernetes.io]: Invalid value: "yes": protected groups must have approval annotation "api-approved.kubernetes.io" with either a URL or a reason starting with "unapproved", see https://github.com/kubernetes/enhancements/pull/1111',
    ]);
  });

  it("warn of deprecated versions in words that can be shown", () => {
    const deprecated = withPath(definition, `${version}.deprecated`, true);
    const warning = (text: string): string[] =>
      created(kind, withPath(deprecated, `${version}.deprecationWarning`, text)).errors.map((error) =>
        error.replace(/^.*: /, ""),
      );
    expect(warning("use v2, ünd schön")).toEqual([]);
    expect(warning("")).toEqual(["must not be an empty string"]);
    expect(warning("x".repeat(257))).toEqual(["must be <= 256 characters long"]);
    expect(warning("ü\n")).toEqual([
      "must only contain printable UTF-8 characters; non-printable character found at index 2",
    ]);
  });

  it("keep group and names, and once established scope and kind", () => {
    const stored = created(kind, definition).object;
    const moved = withPath(stored, "spec.scope", "Cluster");
    expect(updated(kind, moved, stored).errors).toEqual([]);
    const established = withPath(stored, "status.conditions", [{ type: "Established", status: "True" }]);
    expect(updated(kind, withPath(established, "spec.scope", "Cluster"), established).errors).toEqual([
      'spec.scope: Invalid value: "Cluster": field is immutable',
    ]);
  });

  it("once established take no certificates that cannot be read", () => {
    const stored = created(kind, withPath(definition, "spec.conversion", conversion({}))).object;
    const bundle = "spec.conversion.webhook.clientConfig.caBundle";
    const broken = withPath(stored, bundle, "AAAA");
    expect(created(kind, broken).errors).toEqual([]);
    expect(updated(kind, broken, stored).errors).toEqual([]);
    const established = (object: JsonObject): JsonObject =>
      withPath(object, "status.conditions", [{ type: "Established", status: "True" }]);
    expect(updated(kind, established(broken), established(stored)).errors).toEqual([
      'spec.conversion.webhookClientConfig.caBundle: Invalid value: "AAAA": unable to load root certificates: data does not contain any valid RSA or ECDSA certificates',
    ]);
    const other = withPath(broken, bundle, "BBBB");
    expect(updated(kind, established(other), established(broken)).errors).toEqual([]);
  });

  it("keep versions that objects are stored in", () => {
    const stored = created(kind, definition).object;
    const [first] = definition.spec.versions;
    const renamed = withPath(stored, "spec.versions", [{ ...first, name: "v2" }]);
    expect(updated(kind, renamed, stored).errors).toEqual([
      'status.storedVersions[0]: Invalid value: "v1": missing from spec.versions; v1 was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in v1 and removes v1 from status.storedVersions',
    ]);
  });

  it("warn of formats that nobody knows", () => {
    const { warnings } = strategyFor(kind);
    const withFormats = withPath(definition, `${version}.schema.openAPIV3Schema.properties`, {
      a: { type: "string", format: "date-time" },
      b: { type: "integer", format: "int64" },
      c: { type: "array", items: { type: "number", format: "int64" } },
      d: { type: "object", additionalProperties: { anyOf: [{ format: "int-or-string" }, { format: "quantity" }] } },
    });
    const all = ['unrecognized format "int64"', 'unrecognized format "int-or-string"'];
    expect(warnings?.(withFormats, undefined)).toEqual(all);
    expect(warnings?.(withFormats, definition)).toEqual(all);
    expect(warnings?.(withFormats, withFormats)).toEqual([]);
  });

  it("have names in their status that could be theirs", () => {
    const stored = created(kind, definition).object;
    const named = withPath(stored, "status.acceptedNames", { plural: "Foos", kind: "Foo" });
    expect(updated(kind, named, stored, "status").errors).toEqual([
      `status.acceptedNames.plural: Invalid value: "Foos": ${label1035}`,
    ]);
  });
});

describe("services of the API", () => {
  const services = "apiregistration.k8s.io/apiservices";
  const service = {
    metadata: { name: "v1.example.com" },
    spec: {
      group: "example.com",
      version: "v1",
      groupPriorityMinimum: 100,
      versionPriority: 10,
      service: { name: "a", namespace: "b" },
    },
  };

  it("have a port", () => {
    expect(created(services, service).errors).toEqual([]);
    expect(created(services, withPath(service, "spec.service.port", 70_000)).errors).toEqual([
      "spec.service.port: Invalid value: 70000: port is not valid: must be between 1 and 65535, inclusive",
    ]);
  });

  it("of this server have no certificates", () => {
    const local = withPath(withPath(service, "spec.service", undefined), "spec.caBundle", "AAAA");
    expect(created(services, local).errors).toEqual([
      'spec.caBundle: Invalid value: "3 bytes": local APIServices may not have a caBundle',
    ]);
  });

  it("have conditions that hold, do not, or may", () => {
    const conditions = [{ type: "Available", status: "Perhaps" }];
    expect(updated(services, withPath(service, "status.conditions", conditions), service, "status").errors).toEqual([
      'status.conditions[0].status: Unsupported value: "Perhaps": supported values: "True", "False", "Unknown"',
    ]);
  });
});
