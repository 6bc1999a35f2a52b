import { describe, expect, test } from "vitest";
import { mutatingWebhookConfigurations, namespaces, validatingWebhookConfigurations } from "../../api/index.js";
import { seededRandom } from "../../internal/random.js";
import { VirtualClock } from "../../internal/virtual-clock.js";
import { FixtureCache } from "./fixture-cache.js";
import { admit, outcome, pod, request } from "./fixture-request.js";
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
    expect(await admit(mutating, request(pod()))).toMatchObject({ patched: [["p"], ["p"], ["p"]] });
    expect(asked).toEqual(["1", "2", "1"]);
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
