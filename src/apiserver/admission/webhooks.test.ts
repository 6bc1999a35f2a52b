import { describe, expect, test } from "vitest";
import { mutatingWebhookConfigurations, namespaces, validatingWebhookConfigurations } from "../../api/index.js";
import { seededRandom } from "../../internal/random.js";
import { VirtualClock } from "../../internal/virtual-clock.js";
import { FixtureCache } from "./fixture-cache.js";
import { admit, outcome, pod, request } from "./fixture-request.js";
import { lazyEnvironments } from "./policies/policy-deps.js";
import { Reinvocation } from "./reinvocation.js";
import { type MutatingWebhookDeps, mutatingWebhooks, validatingWebhooks } from "./webhooks.js";

describe("webhooks", () => {
  const rules = [{ operations: ["CREATE"], apiGroups: [""], apiVersions: ["v1"], resources: ["pods"] }];
  const hook = (more: object = {}) => ({
    name: "h.example.com",
    clientConfig: {},
    rules,
    sideEffects: "None",
    admissionReviewVersions: ["v1"],
    ...more,
  });
  const setup = (webhooks: object[], call: MutatingWebhookDeps["call"]) => {
    const cache = new FixtureCache()
      .put(namespaces, { metadata: { name: "a", labels: { team: "x" } } })
      .put(mutatingWebhookConfigurations, { metadata: { name: "m" }, webhooks })
      .put(validatingWebhookConfigurations, { metadata: { name: "v" }, webhooks });
    const clock = new VirtualClock();
    const deps: MutatingWebhookDeps = {
      cache,
      clock,
      random: seededRandom(1),
      call,
      environments: lazyEnvironments(),
      equivalents: ({ resource }) =>
        resource === "horizontalpodautoscalers"
          ? [{ group: "autoscaling", version: "v2", resource, kind: "HorizontalPodAutoscaler" }]
          : [],
      convert: async (object) => ({ ...object, apiVersion: "autoscaling/v2" }),
      applyPatch: (object, patch) => ({ ...object, patched: [...((object["patched"] as unknown[]) ?? []), patch] }),
    };
    return { mutating: mutatingWebhooks(deps), validating: validatingWebhooks(deps), clock };
  };
  const answer = (review: object, response: object) => ({
    apiVersion: "admission.k8s.io/v1",
    kind: "AdmissionReview",
    response: { uid: (review as { request: { uid: string } }).request.uid, ...response },
  });
  const patch = Buffer.from('["p"]').toString("base64");

  test("change objects in order, and again where asked to", async () => {
    const asked: string[] = [];
    const { mutating } = setup(
      [
        hook({ name: "1", clientConfig: { url: "1" }, reinvocationPolicy: "IfNeeded" }),
        hook({ name: "2", clientConfig: { url: "2" } }),
      ],
      async (config, review) => {
        asked.push(config.url ?? "");
        return answer(review, { allowed: true, patchType: "JSONPatch", patch });
      },
    );
    const reinvocation = new Reinvocation();
    const first = await admit(mutating, request(pod(), { reinvocation }));
    expect(first).toMatchObject({ patched: [["p"], ["p"]] });
    expect(reinvocation.wanted).toBe(true);
    reinvocation.again = true;
    expect(await admit(mutating, request(first, { reinvocation }))).toMatchObject({ patched: [["p"], ["p"], ["p"]] });
    expect(asked).toEqual(["1", "2", "1"]);
  });

  test("tell audit events what they did, and what they say themselves", async () => {
    const hooks = [
      hook({ name: "1", clientConfig: { url: "1" } }),
      hook({ name: "2", clientConfig: { url: "2" } }),
      hook({ name: "3", clientConfig: { url: "3" }, failurePolicy: "Ignore" }),
    ];
    const { mutating, validating } = setup(hooks, async ({ url }, review) => {
      if (url === "3") throw new Error("gone");
      const changes = url === "1" ? { patchType: "JSONPatch", patch } : {};
      return answer(review, { allowed: true, auditAnnotations: { key: url }, ...changes });
    });
    const said: (readonly (string | undefined)[])[] = [];
    const annotate = (...annotation: (string | undefined)[]): void => void said.push(annotation);
    await admit(mutating, request(pod(), { annotate }));
    const at = (index: number): string => `webhook.admission.k8s.io/round_0_index_${index}`;
    const words = (webhook: string, more: string): string => `{"configuration":"m","webhook":"${webhook}",${more}}`;
    expect(said.splice(0)).toEqual([
      ["1/key", "1"],
      [`patch.${at(0)}`, words("1", '"patch":["p"],"patchType":"JSONPatch"'), "Request"],
      [`mutation.${at(0)}`, words("1", '"mutated":true')],
      ["2/key", "2"],
      [`mutation.${at(1)}`, words("2", '"mutated":false')],
      [`failed-open.mutation.${at(2)}`, "3"],
      [`mutation.${at(2)}`, words("3", '"mutated":false')],
    ]);
    await validating.validate?.(request(pod(), { annotate }));
    expect(said).toContainEqual([`failed-open.validating.${at(2)}`, "3"]);
  });

  test.each([
    ["holds", "object.metadata.name == 'web'", {}, "asked"],
    ["does not hold", "object.metadata.name == 'other'", {}, ""],
    [
      "fails",
      "object.spec.nope",
      {},
      "pods \"web\" is forbidden: expression 'object.spec.nope == 1' resulted in error",
    ],
    ["fails, which is ignored", "object.spec.nope", { failurePolicy: "Ignore" }, ""],
  ])("are asked where their condition %s", async (_, condition, more, said) => {
    const expression = condition.includes("==") ? condition : `${condition} == 1`;
    const matchConditions = [{ name: "c", expression }];
    const { validating } = setup([hook({ matchConditions, ...more })], async (__, review) =>
      answer(review, { allowed: false, status: { message: "asked" } }),
    );
    const got = await outcome(() => validating.validate?.(request(pod())));
    if (said === "") expect(got).toBe("");
    else expect(got).toContain(said);
  });

  test("are shown the options of a connect", async () => {
    const reviews: unknown[] = [];
    const exec = { operations: ["CONNECT"], apiGroups: [""], apiVersions: ["v1"], resources: ["pods/exec"] };
    const { validating } = setup([hook({ rules: [exec] })], async (_, review) => {
      reviews.push(review);
      return answer(review, { allowed: true });
    });
    const options = { kind: "PodExecOptions", apiVersion: "v1", command: ["ls"] };
    const connect = { operation: "CONNECT", kind: "PodExecOptions" } as const;
    await validating.validate?.(request(options, { ...connect, subresource: "exec" }));
    await validating.validate?.(request(options, { ...connect, subresource: "attach" }));
    expect(reviews).toMatchObject([
      {
        request: {
          kind: { group: "", version: "v1", kind: "PodExecOptions" },
          resource: { group: "", version: "v1", resource: "pods" },
          subResource: "exec",
          requestSubResource: "exec",
          name: "web",
          namespace: "a",
          operation: "CONNECT",
          object: options,
          oldObject: null,
          dryRun: false,
          options: null,
        },
      },
    ]);
  });

  test("may see a write of another version of the kind as theirs", async () => {
    const reviews: unknown[] = [];
    const { validating } = setup(
      [
        hook({
          rules: [
            {
              operations: ["CREATE"],
              apiGroups: ["autoscaling"],
              apiVersions: ["v2"],
              resources: ["horizontalpodautoscalers"],
            },
          ],
        }),
      ],
      async (_, review) => {
        reviews.push(review);
        return answer(review, { allowed: true });
      },
    );
    const scaler = {
      group: "autoscaling",
      version: "v1",
      resource: "horizontalpodautoscalers",
      kind: "HorizontalPodAutoscaler",
    };
    await validating.validate?.(request({ apiVersion: "autoscaling/v1" }, scaler));
    expect(reviews).toMatchObject([
      {
        request: {
          resource: { version: "v2" },
          requestResource: { version: "v1" },
          object: { apiVersion: "autoscaling/v2" },
        },
      },
    ]);
  });

  test("refuse in their own words", async () => {
    const { validating } = setup([hook()], async (_, review) =>
      answer(review, { allowed: false, status: { message: "no" } }),
    );
    expect(await outcome(() => validating.validate?.(request(pod())))).toBe(
      'admission webhook "h.example.com" denied the request: no',
    );
  });

  test.each([
    [
      "an answer to something else",
      async (_: unknown, review: object) => ({ ...answer(review, {}), response: { uid: "x", allowed: true } }),
    ],
    ["no answer", async () => Promise.reject(new Error("connection refused"))],
  ])("%s fails the write, or is ignored where the policy says so", async (_, call) => {
    expect(await outcome(() => setup([hook()], call).validating.validate?.(request(pod())))).toContain(
      'failed calling webhook "h.example.com"',
    );
    expect(
      await outcome(() => setup([hook({ failurePolicy: "Ignore" })], call).validating.validate?.(request(pod()))),
    ).toBe("");
  });

  test("one that hangs is given up in time", async () => {
    const { validating, clock } = setup(
      [hook({ timeoutSeconds: 2 })],
      (_, __, signal) =>
        new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
    );
    const said = outcome(() => validating.validate?.(request(pod())));
    await clock.advance(2000);
    expect(await said).toContain("context deadline exceeded");
  });

  test.each([
    ["another operation", {}, { operation: "UPDATE" as const }],
    ["another namespace's label", { namespaceSelector: { matchLabels: { team: "y" } } }, {}],
    ["another object's label", { objectSelector: { matchLabels: { a: "b" } } }, {}],
    ["a subresource", {}, { subresource: "status" }],
  ])("are not asked about %s", async (_, more, asked) => {
    const { validating } = setup([hook(more)], () => Promise.reject(new Error("asked")));
    expect(await outcome(() => validating.validate?.(request(pod(), asked)))).toBe("");
  });

  test("with side effects are not asked in a dry run", async () => {
    const { validating } = setup([hook({ sideEffects: "Some" })], () => Promise.reject(new Error("asked")));
    expect(await outcome(() => validating.validate?.(request(pod(), { dryRun: true })))).toBe(
      'admission webhook "h.example.com" does not support dry run',
    );
  });
});
