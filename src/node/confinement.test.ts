import { afterEach, expect, test } from "vitest";
import { nodes, runtimeClasses } from "../api/index.js";
import { type Harness, startHarness } from "../testing/node-harness.js";
import type { ProbeOutcome } from "./probes/prober.js";

let open: Harness | undefined;
async function harness(...options: Parameters<typeof startHarness>): Promise<Harness> {
  open = await startHarness(...options);
  return open;
}
afterEach(async () => {
  await open?.[Symbol.asyncDispose]();
  open = undefined;
});

const able = {
  supplementalGroupsPolicy: true,
  handlers: [
    { name: "", recursiveReadOnlyMounts: true },
    { name: "plain", recursiveReadOnlyMounts: false },
  ],
};

test("a node says what its runtime can do, and nothing where the runtime does not", async () => {
  const plain = await harness();
  expect((await plain.client.get(nodes, { name: "n1" })).status).not.toHaveProperty("features");
  await plain[Symbol.asyncDispose]();
  const h = await harness({ features: able });
  expect((await h.client.get(nodes, { name: "n1" })).status).toMatchObject({
    features: { supplementalGroupsPolicy: true },
    runtimeHandlers: [
      { name: "", features: { recursiveReadOnlyMounts: true, userNamespaces: false } },
      { name: "plain", features: { recursiveReadOnlyMounts: false, userNamespaces: false } },
    ],
  });
});

test("a pod that wants no groups of its image is turned away where the runtime cannot leave them out", async () => {
  const strict = { securityContext: { supplementalGroupsPolicy: "Strict" } };
  const plain = await harness();
  await plain.create("web", strict);
  expect((await plain.get("web")).status).toMatchObject({
    phase: "Failed",
    reason: "SupplementalGroupsPolicyNotSupported",
    message: "Pod was rejected: SupplementalGroupsPolicy=Strict is not supported in this node",
  });
  await plain[Symbol.asyncDispose]();
  const h = await harness({ features: able });
  await h.create("web", strict);
  expect((await h.get("web")).status?.phase).toBe("Running");
});

test("mounts are read-only with all that is below them where the pod's runtime handler can do it", async () => {
  const h = await harness({ features: able });
  await h.client.create(runtimeClasses, {
    apiVersion: "node.k8s.io/v1",
    kind: "RuntimeClass",
    metadata: { name: "plain" },
    handler: "plain",
  });
  const volumes = [{ name: "v", emptyDir: {} }];
  const mount = (mode: string) => ({ name: "v", mountPath: `/${mode}`, readOnly: true, recursiveReadOnly: mode });
  const container = (...modes: string[]) => ({ name: "main", image: "a", volumeMounts: modes.map(mount) });
  const shown = async (name: string): Promise<unknown> =>
    (await h.get(name)).status?.containerStatuses?.[0]?.volumeMounts?.map(({ recursiveReadOnly }) => recursiveReadOnly);
  await h.create("able", { volumes, containers: [container("Enabled", "IfPossible", "Disabled")] });
  expect(await shown("able")).toEqual(["Enabled", "Enabled", "Disabled"]);
  await h.create("plain", { runtimeClassName: "plain", volumes, containers: [container("IfPossible")] });
  expect(await shown("plain")).toEqual(["Disabled"]);
});

test("a pod that asks for a user namespace of its own is not run in the host's", async () => {
  const h = await harness();
  await h.create("web", { hostUsers: false });
  expect(h.events.join("\n")).toMatch(
    /FailedCreatePodSandBox Failed to create pod sandbox: user namespaces are not supported by this node/,
  );
  expect((await h.get("web")).status?.phase).toBe("Pending");
});

test("a full name that is too long for a host name is told of", async () => {
  const h = await harness();
  await h.create("web", { hostname: "h".repeat(40), subdomain: "s".repeat(20), setHostnameAsFQDN: true });
  expect(h.events.join("\n")).toMatch(
    /Failed to create pod sandbox: failed to construct FQDN from pod hostname and cluster domain, FQDN h+\.s+\.default\.svc\.cluster\.local is too long \(64 characters is the max, 87 characters requested\)/,
  );
});

test("a probe that succeeds with a warning says so", async () => {
  const outcome: ProbeOutcome = { result: "warning", output: "Probe terminated redirects, Response body: " };
  const h = await harness({}, { prober: { probe: async () => outcome } });
  const livenessProbe = { httpGet: { path: "/", port: 80 }, failureThreshold: 1 };
  await h.create("web", { containers: [{ name: "main", image: "a", livenessProbe, readinessProbe: livenessProbe }] });
  await h.clock.advance(30_000);
  expect(h.events).toContain(
    "Warning ProbeWarning Liveness probe warning: Probe terminated redirects, Response body: ",
  );
  expect((await h.get("web")).status?.containerStatuses?.[0]).toMatchObject({ ready: true, restartCount: 0 });
});
