import { describe, expect, it } from "vitest";
import type { JsonObject } from "../../object.js";
import { created, strategyFor, updated } from "../testing.js";

const armor = "container.apparmor.security.beta.kubernetes.io/a";
const deprecated = `metadata.annotations[${armor}]: deprecated since v1.30; use the "appArmorProfile" field instead`;

function pod(annotations: object, spec: object = {}): JsonObject {
  return {
    metadata: { name: "p", namespace: "d", annotations },
    spec: { containers: [{ name: "a", image: "a" }], ...spec },
  } as unknown as JsonObject;
}

function warningsOf(object: JsonObject): readonly string[] {
  return strategyFor("/pods").warnings?.(object, undefined) ?? [];
}

describe("AppArmor annotations of pods", () => {
  const unconfined = { securityContext: { appArmorProfile: { type: "Unconfined" } } };
  it.each([
    { name: "unconfined", value: "unconfined", spec: {}, profile: { type: "Unconfined" }, warnings: [deprecated] },
    {
      name: "default",
      value: "runtime/default",
      spec: {},
      profile: { type: "RuntimeDefault" },
      warnings: [deprecated],
    },
    {
      name: "of a node",
      value: "localhost/x",
      spec: {},
      profile: { type: "Localhost", localhostProfile: "x" },
      warnings: [deprecated],
    },
    { name: "nameless", value: "localhost/", spec: {}, profile: undefined, warnings: [deprecated] },
    { name: "as the pod's", value: "unconfined", spec: unconfined, profile: undefined, warnings: [] },
    { name: "of Windows", value: "unconfined", spec: { os: { name: "windows" } }, profile: undefined, warnings: [] },
  ])("become the field: $name", ({ value, spec, profile, warnings }) => {
    const seen: string[] = [];
    const given = pod({ [armor]: value }, spec);
    const context = { now: "", nowMs: 0, warn: (text: string) => seen.push(text) };
    const object = strategyFor("/pods").prepareForCreate?.(given, context);
    expect(object).toMatchObject({ metadata: { annotations: { [armor]: value } } });
    const securityContext = profile && { securityContext: { appArmorProfile: profile } };
    expect(object?.["spec"]).toEqual({ ...spec, containers: [{ name: "a", image: "a", ...securityContext }] });
    expect(seen).toEqual(warnings);
    expect(warningsOf(object ?? {})).toEqual([]);
  });

  it("of templates stay annotations", () => {
    const { metadata, spec } = pod({ [armor]: "unconfined" }) as { metadata: JsonObject; spec: JsonObject };
    const set = { metadata: { name: "s" }, spec: { template: { metadata, spec } } };
    expect(strategyFor("apps/replicasets").warnings?.(set, undefined)).toEqual([`spec.template.${deprecated}`]);
    expect(created("apps/replicasets", set).object).toMatchObject(set);
  });
});

describe("profiles that are said twice", () => {
  const seccomp = "seccomp.security.alpha.kubernetes.io/pod";
  const container = "container.seccomp.security.alpha.kubernetes.io/a";
  it.each([
    {
      name: "types that differ",
      annotations: { [seccomp]: "unconfined", [armor]: "unconfined" },
      ofPod: { seccompProfile: { type: "RuntimeDefault" } },
      ofContainer: { appArmorProfile: { type: "RuntimeDefault" } },
      errors: [
        "spec.securityContext.seccompProfile.type: Forbidden: seccomp type in annotation and field must match",
        "spec.containers[0].securityContext.appArmorProfile.type: Forbidden: apparmor type in annotation and field must match",
      ],
    },
    {
      name: "files that differ",
      annotations: { [seccomp]: "localhost/b", [armor]: "localhost/b" },
      ofPod: { seccompProfile: { type: "Localhost", localhostProfile: "a" } },
      ofContainer: { appArmorProfile: { type: "Localhost", localhostProfile: "b" } },
      errors: [
        "spec.securityContext.seccompProfile.localhostProfile: Forbidden: seccomp profile in annotation and field must match",
      ],
    },
    {
      name: "the same under an old name",
      annotations: { [seccomp]: "docker/default", [container]: "unconfined" },
      ofPod: { seccompProfile: { type: "RuntimeDefault" } },
      ofContainer: {},
      errors: [],
    },
  ])("say the same: $name", ({ annotations, ofPod, ofContainer, errors }) => {
    const spec = { securityContext: ofPod, containers: [{ name: "a", image: "a", securityContext: ofContainer }] };
    expect(created("/pods", pod(annotations, spec)).errors).toEqual(errors);
  });
});

describe("warnings about pods", () => {
  it("name annotations without effect, if empty too", () => {
    const annotations = {
      "scheduler.alpha.kubernetes.io/critical-pod": "",
      "security.alpha.kubernetes.io/sysctls": "a",
    };
    expect(warningsOf(pod(annotations))).toEqual([
      'metadata.annotations[scheduler.alpha.kubernetes.io/critical-pod]: non-functional in v1.16+; use the "priorityClassName" field instead',
      'metadata.annotations[security.alpha.kubernetes.io/sysctls]: non-functional in v1.11+; use the "sysctls" field instead',
    ]);
  });

  const items = (...paths: readonly string[]): readonly object[] => paths.map((path) => ({ key: "k", path }));
  it.each([
    {
      name: "a file where a folder is needed",
      volume: { configMap: { name: "c", items: items("a", "a/b") } },
      warnings: ['volume "v" (ConfigMap "c"): overlapping paths: "a/b" with "a"'],
    },
    {
      name: "one file twice",
      volume: { secret: { secretName: "s", items: items("a/", "a") } },
      warnings: ['volume "v" (Secret "s"): overlapping paths: "a" with "a"'],
    },
    {
      name: "names that only begin alike, as upstream compares",
      volume: { downwardAPI: { items: items("a", "ab") } },
      warnings: ['volume "v" (DownwardAPI): overlapping paths: "ab" with "a"'],
    },
    {
      name: "several sources, one empty",
      volume: {
        projected: {
          sources: [
            { configMap: { name: "c", items: items("x") } },
            { serviceAccountToken: { path: "x/y" } },
            {},
            { secret: { name: "s" } },
          ],
        },
      },
      warnings: [
        'volume "v" (Projected ServiceAccountToken): overlapping paths: "x/y" with "x"',
        'volume "v" (Projected) has no sources provided',
      ],
    },
    { name: "nothing", volume: { configMap: { name: "c", items: items("a", "b/c") } }, warnings: [] },
  ])("tell of paths that overlap: $name", ({ volume, warnings }) => {
    expect(warningsOf(pod({}, { volumes: [{ name: "v", ...volume }] }))).toEqual(warnings);
  });

  it("tell of long addresses in a status", () => {
    const object = { status: { podIPs: [{ ip: "1.2.3.4" }, { ip: "2001:DB8::1" }], hostIPs: [{ ip: "::0" }] } };
    const { warnings, statusWarnings } = strategyFor("/pods");
    expect(statusWarnings?.(object)).toEqual([
      'status.podIPs[1].ip: IPv6 address "2001:DB8::1" should be in RFC 5952 canonical format ("2001:db8::1")',
      'status.hostIPs[0].ip: IPv6 address "::0" should be in RFC 5952 canonical format ("::")',
    ]);
    expect(warnings?.(object, {})).toEqual([]);
  });
});

describe("the generation that a pod's status is of", () => {
  it("stays where a node agent leaves it out", () => {
    const conditions = [
      { type: "Ready", observedGeneration: 2 },
      { type: "A", observedGeneration: 3 },
      { type: "A", observedGeneration: 4 },
    ];
    const status = {
      conditions: [{ type: "A" }, { type: "A" }, { type: "A" }, { type: "Ready", observedGeneration: 9 }],
    };
    const { object } = updated("/pods", { status }, { status: { observedGeneration: 5, conditions } }, "status");
    expect(object["status"]).toEqual({
      observedGeneration: 5,
      conditions: [
        { type: "A", observedGeneration: 3 },
        { type: "A", observedGeneration: 4 },
        { type: "A" },
        { type: "Ready", observedGeneration: 9 },
      ],
    });
  });
});
