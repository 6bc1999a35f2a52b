import { describe, expect, it } from "vitest";
import { created, updated, withPath } from "../testing.js";

const kind = "admissionregistration.k8s.io/validatingwebhookconfigurations";
const configuration = {
  metadata: { name: "x" },
  webhooks: [
    {
      name: "a.example.com",
      sideEffects: "None",
      admissionReviewVersions: ["v1"],
      clientConfig: { url: "https://h/check" },
      rules: [{ operations: ["*"], apiGroups: [""], apiVersions: ["v1"], resources: ["pods"] }],
    },
  ],
};
const hook = "webhooks[0]";
const url = "; desired format: https://host[/path]";
const service = (more: object): object => ({ service: { name: "a", namespace: "b", ...more } });

const creations: { name: string; path: string; value: unknown; errors: string[] }[] = [
  {
    name: "a name of two parts",
    path: "name",
    value: "a.b",
    errors: ['name: Invalid value: "a.b": should be a domain with at least three segments separated by dots'],
  },
  {
    name: "side effects",
    path: "sideEffects",
    value: "Some",
    errors: ['sideEffects: Unsupported value: "Some": supported values: "None", "NoneOnDryRun"'],
  },
  {
    name: "side effects that are not told",
    path: "sideEffects",
    value: undefined,
    errors: ["sideEffects: Required value: must specify one of None, NoneOnDryRun"],
  },
  {
    name: "too long a wait",
    path: "timeoutSeconds",
    value: 31,
    errors: ["timeoutSeconds: Invalid value: 31: the timeout value must be between 1 and 30 seconds"],
  },
  {
    name: "no versions of reviews",
    path: "admissionReviewVersions",
    value: [],
    errors: ["admissionReviewVersions: Required value: must specify one of v1, v1beta1"],
  },
  {
    name: "versions of reviews that are not known",
    path: "admissionReviewVersions",
    value: ["v2", "v2"],
    errors: [
      'admissionReviewVersions[1]: Invalid value: "v2": duplicate version',
      'admissionReviewVersions: Invalid value: ["v2","v2"]: must include at least one of v1, v1beta1',
    ],
  },
  {
    name: "no place",
    path: "clientConfig",
    value: {},
    errors: ["clientConfig: Required value: exactly one of url or service is required"],
  },
  {
    name: "a URL with all that it may not have",
    path: "clientConfig",
    value: { url: "http://me:x@/?q#f" },
    errors: [
      `clientConfig.url: Invalid value: "http": 'https' is the only allowed URL scheme${url}`,
      `clientConfig.url: Invalid value: "": host must be provided${url}`,
      'clientConfig.url: Invalid value: "me:x": user information is not permitted in the URL',
      'clientConfig.url: Invalid value: "f": fragments are not permitted in the URL',
      'clientConfig.url: Invalid value: "q": query parameters are not permitted in the URL',
    ],
  },
  {
    name: "a URL with no scheme",
    path: "clientConfig",
    value: { url: "host/path" },
    errors: [
      `clientConfig.url: Invalid value: "": 'https' is the only allowed URL scheme${url}`,
      `clientConfig.url: Invalid value: "": host must be provided${url}`,
    ],
  },
  {
    name: "no URL at all",
    path: "clientConfig",
    value: { url: "https://h:x/" },
    errors: [
      `clientConfig.url: Required value: url must be a valid URL: parse "https://h:x/": invalid port ":x" after host${url}`,
    ],
  },
  {
    name: "a service with no name and another port",
    path: "clientConfig",
    value: { service: { port: 0 } },
    errors: [
      "clientConfig.service.name: Required value: service name is required",
      "clientConfig.service.namespace: Required value: service namespace is required",
      "clientConfig.service.port: Invalid value: 0: port is not valid: must be between 1 and 65535, inclusive",
    ],
  },
  { name: "a path", path: "clientConfig", value: service({ path: "/a/b.c/" }), errors: [] },
  {
    name: "a path of nothing",
    path: "clientConfig",
    value: service({ path: "//" }),
    errors: ['clientConfig.service.path: Invalid value: "//": segment[0] may not be empty'],
  },
  {
    name: "a path with a gap",
    path: "clientConfig",
    value: service({ path: "/a//b" }),
    errors: ['clientConfig.service.path: Invalid value: "/a//b": segment[1] may not be empty'],
  },
  {
    name: "a path from nowhere",
    path: "clientConfig",
    value: service({ path: "ab" }),
    errors: [`clientConfig.service.path: Invalid value: "ab": must start with a '/'`],
  },
  {
    name: "rules of nothing",
    path: "rules",
    value: [{}],
    errors: [
      "rules[0].operations: Required value",
      "rules[0].apiGroups: Required value",
      "rules[0].apiVersions: Required value",
      "rules[0].resources: Required value",
    ],
  },
  {
    name: "all and some",
    path: "rules",
    value: [{ operations: ["*", "X"], apiGroups: ["*", "a"], apiVersions: ["*", ""], resources: ["*", "pods"] }],
    errors: [
      `rules[0].operations: Invalid value: ["*","X"]: if '*' is present, must not specify other operations`,
      'rules[0].operations[1]: Unsupported value: "X": supported values: "*", "CONNECT", "CREATE", "DELETE", "UPDATE"',
      `rules[0].apiGroups: Invalid value: ["*","a"]: if '*' is present, must not specify other API groups`,
      `rules[0].apiVersions: Invalid value: ["*",""]: if '*' is present, must not specify other API versions`,
      "rules[0].apiVersions[1]: Required value",
      `rules[0].resources: Invalid value: ["*","pods"]: if '*' is present, must not specify other resources without subresources`,
    ],
  },
  {
    name: "resources within others",
    path: "rules",
    value: [
      {
        operations: ["CREATE"],
        apiGroups: [""],
        apiVersions: ["v1"],
        resources: ["pods/*", "pods/log", "*/scale", "a/scale", "*/*"],
      },
    ],
    errors: [
      `rules[0].resources[1]: Invalid value: "pods/log": if 'pods/*' is present, must not specify pods/log`,
      `rules[0].resources[3]: Invalid value: "a/scale": if '*/scale' is present, must not specify a/scale`,
      `rules[0].resources: Invalid value: ["pods/*","pods/log","*/scale","a/scale","*/*"]: if '*/*' is present, must not specify other resources`,
    ],
  },
];

describe("webhooks of admission", () => {
  it("are good", () => {
    expect(created(kind, configuration).errors).toEqual([]);
  });

  it.each(creations)("$name", ({ path, value, errors }) => {
    const wanted = errors.map((error) => `${hook}.${error}`);
    expect(created(kind, withPath(configuration, `webhooks.0.${path}`, value)).errors).toEqual(wanted);
  });

  it("have names of their own", () => {
    const twice = { ...configuration, webhooks: [...configuration.webhooks, ...configuration.webhooks] };
    expect(created(kind, twice).errors).toEqual(['webhooks[1].name: Duplicate value: "a.example.com"']);
  });

  it("keep what was stored before there were rules", () => {
    const old = withPath(
      withPath(configuration, "webhooks.0.sideEffects", "Some"),
      "webhooks.0.admissionReviewVersions",
      ["v2"],
    );
    expect(updated(kind, withPath(old, "webhooks.0.timeoutSeconds", 5), old).errors).toEqual([]);
    expect(updated(kind, withPath(configuration, "webhooks.0.sideEffects", "Some"), configuration).errors).toEqual([
      'webhooks[0].sideEffects: Unsupported value: "Some": supported values: "None", "NoneOnDryRun"',
    ]);
  });
});
