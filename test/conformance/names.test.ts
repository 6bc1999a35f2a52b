import { expect, test } from "vitest";
import type { Status } from "../../src/api/index.js";
import { everyKind, placed, type SampleKind } from "./support/every-kind.js";
import { configMap, metadataOf } from "./support/manifests.js";
import { describeApi, failure, useControlPlane } from "./support/subject.js";

const controlPlane = useControlPlane({ loopback: true });

type Rule = "subdomain" | "label" | "segment" | "other";

/** Kinds whose names are not DNS subdomains. */
const rules: Readonly<Record<string, Rule>> = {
  Namespace: "label",
  Service: "label",
  StatefulSet: "label",
  Role: "segment",
  RoleBinding: "segment",
  ClusterRole: "segment",
  ClusterRoleBinding: "segment",
  CertificateSigningRequest: "segment",
  // These say more than a name, or have rules of their own.
  CSIDriver: "other",
  APIService: "other",
  CustomResourceDefinition: "other",
  IPAddress: "other",
};

function ruleOf({ kind, path }: SampleKind): Rule {
  return path === "api/v1/events" ? "segment" : (rules[kind] ?? "subdomain");
}

const named: readonly { name: string; is: string; allowed: readonly Rule[] }[] = [
  { name: "plain-1", is: "a label", allowed: ["label", "subdomain", "segment"] },
  { name: "1-2", is: "a label that begins with a digit", allowed: ["label", "subdomain", "segment"] },
  { name: "a.b-c", is: "a subdomain", allowed: ["subdomain", "segment"] },
  { name: "Mixed_Case:here", is: "a segment of a path", allowed: ["segment"] },
  { name: "-a", is: "a beginning with a hyphen", allowed: ["segment"] },
  { name: "a..b", is: "an empty label", allowed: ["segment"] },
  { name: "a%b", is: "a percent sign", allowed: [] },
  { name: "a/b", is: "a slash", allowed: [] },
  { name: "..", is: "the folder above", allowed: [] },
];

const words: readonly RegExp[] = [
  /^Invalid value: ".*": a lowercase RFC 1123 (subdomain|label) must consist of /,
  /^Invalid value: ".*": must not contain dots$/,
  /^Invalid value: ".*": may not (be|contain) '.*'$/,
];

describeApi("names", controlPlane, (api) => {
  const attempt = async (sample: SampleKind, metadata: object): Promise<Status | undefined> => {
    const namespace = "default";
    const body = placed(sample, 60_000, namespace, { name: undefined, ...metadata });
    const where = sample.namespaced ? { namespace } : {};
    const call = api.call("create", sample.path, { ...where, body, options: { dryRun: ["All"] } });
    return call.then(
      () => undefined,
      () => failure(call),
    );
  };

  test.each(everyKind.filter((sample) => ruleOf(sample) !== "other"))("of $path follow its rule", async (sample) => {
    await api
      .create("api/v1/serviceaccounts", { metadata: { name: "default", namespace: "default" } })
      .catch(() => undefined);
    const rule = ruleOf(sample);
    for (const { name, is, allowed } of named) {
      const status = await attempt(sample, { name });
      if (allowed.includes(rule)) {
        expect(status, `${is}: ${status?.message}`).toBeUndefined();
        continue;
      }
      expect(status, is).toMatchObject({ code: 422, reason: "Invalid" });
      // The address of a Service is looked for first, and cannot be that of such a name either.
      if (sample.kind === "Service" && allowed.length === 0) continue;
      expect(status, is).toMatchObject({ details: { kind: sample.kind, name } });
      const causes = (status?.details?.causes ?? []).filter(({ field }) => field === "metadata.name");
      expect(causes.length, is).toBeGreaterThan(0);
      for (const { reason, message = "" } of causes) {
        expect(reason).toBe("FieldValueInvalid");
        expect(
          words.some((pattern) => pattern.test(message)),
          message,
        ).toBe(true);
      }
    }
  });

  test.each([
    { of: "configmaps", longest: 253, why: "must be no more than 253 characters" },
    { of: "namespaces", longest: 63, why: "must be no more than 63 characters" },
    { of: "services", longest: 63, why: "must be no more than 63 characters" },
    { of: "statefulsets", longest: 63, why: "must be no more than 63 characters" },
    { of: "cronjobs", longest: 52, why: "must be no more than 52 characters" },
    { of: "csidrivers", longest: 63, why: "name: Too long: may not be more than 63 bytes" },
  ])("of $of have $longest characters at most", async ({ of, longest, why }) => {
    const sample = everyKind.find(({ path }) => path.endsWith(`/${of}`)) as SampleKind;
    expect(await attempt(sample, { name: "a".repeat(longest) })).toBeUndefined();
    const status = await attempt(sample, { name: "a".repeat(longest + 1) });
    expect(status).toMatchObject({ code: 422, reason: "Invalid" });
    expect(status?.message).toContain(why);
  });

  test.each([
    { of: "ipaddresses", name: "10.0.0.256", why: "must be a valid IP address" },
    { of: "ipaddresses", name: "10.00.0.1", why: "must not have leading 0s" },
    { of: "ipaddresses", name: "2001:DB8::1", why: 'must be in canonical form ("2001:db8::1")' },
    {
      of: "apiservices",
      name: "v1.other.example.com",
      why: 'must be `spec.version+"."+spec.group`: "v1.sample60000.example.com"',
    },
    { of: "customresourcedefinitions", name: "other.example.com", why: 'must be spec.names.plural+"."+spec.group' },
  ])("of $of say what they are: not $name", async ({ of, name, why }) => {
    const sample = everyKind.find(({ path }) => path.endsWith(`/${of}`)) as SampleKind;
    const status = await attempt(sample, { name });
    expect(status).toMatchObject({ code: 422, reason: "Invalid" });
    expect(status?.message).toContain(`metadata.name: Invalid value: ${JSON.stringify(name)}: `);
    expect(status?.message).toContain(why);
  });

  test("of CSIDrivers are domains in upper or lower case, and the path of what is wrong is not that of the field", async () => {
    const sample = everyKind.find(({ kind }) => kind === "CSIDriver") as SampleKind;
    expect(await attempt(sample, { name: "Driver.Example.COM" })).toBeUndefined();
    expect((await attempt(sample, { name: "a_b" }))?.details?.causes).toMatchObject([
      { field: "name", reason: "FieldValueInvalid", message: expect.stringContaining("RFC 1123 subdomain") },
    ]);
  });

  test.each(everyKind.filter((sample) => ruleOf(sample) !== "other"))("of $path can be generated", async (sample) => {
    const { where, body } = {
      where: sample.namespaced ? { namespace: "default" } : {},
      body: placed(sample, 60_001, "default", { name: undefined, generateName: "made-" }),
    };
    const made = await api.call("create", sample.path, { ...where, body, options: { dryRun: ["All"] } });
    expect(metadataOf(made)).toMatchObject({
      generateName: "made-",
      name: expect.stringMatching(/^made-[bcdfghjklmnpqrstvwxz2456789]{5}$/),
    });
  });

  test("that are generated are cut to 63 characters, and must be names then", async () => {
    const namespace = await api.namespace();
    const create = (generateName: string): ReturnType<typeof api.call> =>
      api.call("create", "api/v1/configmaps", { namespace, body: configMap("", { metadata: { generateName } }) });
    expect(metadataOf(await create("x".repeat(70)))["name"]).toMatch(/^x{58}[a-z0-9]{5}$/);
    expect(await failure(create("Bad_"))).toMatchObject({
      code: 422,
      details: {
        causes: expect.arrayContaining([
          expect.objectContaining({ field: "metadata.generateName", reason: "FieldValueInvalid" }),
        ]),
      },
    });
  });

  test.each([
    {
      namespace: "A",
      why: /^metadata\.namespace: Invalid value: "A"|the namespace of the provided object does not match/,
    },
    {
      namespace: "other",
      why: /the namespace of the provided object does not match the namespace sent on the request/,
    },
  ])("of namespaces must be those of the request: $namespace", async ({ namespace, why }) => {
    const body = configMap("a", { metadata: { namespace } });
    const status = await failure(api.call("create", "api/v1/configmaps", { namespace: "default", body }));
    expect(status.code).toBe(400);
    expect(status.message).toMatch(why);
  });
});
