import { describe, expect, test } from "vitest";
import { namespaces, pods } from "../../../api/index.js";
import type { AdmissionRequest } from "../admission.js";
import { FixtureCache } from "../fixture-cache.js";
import { outcome, pod, request } from "../fixture-request.js";
import { type PodSecurityDeps, podSecurity } from "./pod-security.js";

const label = (mode: string): string => `pod-security.kubernetes.io/${mode}`;

async function ask(
  labels: object,
  asked: AdmissionRequest,
  more: Partial<PodSecurityDeps> = {},
): Promise<{ readonly refused: string; readonly warnings: readonly string[] }> {
  const cache = new FixtureCache().put(namespaces, { metadata: { name: "a", labels } });
  const plugin = podSecurity({ cache, ...more });
  const warnings: string[] = [];
  const refused = await outcome(() => plugin.validate?.({ ...asked, warn: (text) => warnings.push(text) }));
  return { refused, warnings };
}

const good = {
  name: "c",
  securityContext: {
    allowPrivilegeEscalation: false,
    runAsNonRoot: true,
    capabilities: { drop: ["ALL"] },
    seccompProfile: { type: "RuntimeDefault" },
  },
};
const withContext = (securityContext: object): object => ({ containers: [{ ...good, securityContext }] });
const goodWith = (securityContext: object): object => withContext({ ...good.securityContext, ...securityContext });

test("a pod that says nothing is refused by restricted, in upstream's words", async () => {
  const { refused, warnings } = await ask({ [label("enforce")]: "restricted" }, request(pod()));
  expect(refused).toBe(
    'pods "web" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false (container "c" must set securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (container "c" must set securityContext.capabilities.drop=["ALL"]), runAsNonRoot != true (pod or container "c" must set securityContext.runAsNonRoot=true), seccompProfile (pod or container "c" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")',
  );
  expect(warnings).toEqual([]);
});

test.each([
  ["restricted", good],
  ["baseline", { name: "c" }],
  ["privileged", { name: "c", securityContext: { privileged: true } }],
])("%s takes a pod that keeps to it", async (level, container) => {
  const { refused } = await ask({ [label("enforce")]: level }, request(pod({ containers: [container] })));
  expect(refused).toBe("");
});

describe("baseline refuses", () => {
  test.each([
    ["host namespaces", { hostNetwork: true, hostPID: true }, "host namespaces (hostNetwork=true, hostPID=true)"],
    [
      "privileged containers",
      { initContainers: [{ name: "i", securityContext: { privileged: true } }], ...withContext({ privileged: true }) },
      'privileged (containers "i", "c" must not set securityContext.privileged=true)',
    ],
    [
      "capabilities",
      withContext({ capabilities: { add: ["SYS_TIME", "NET_ADMIN", "CHOWN"] } }),
      'non-default capabilities (container "c" must not include "NET_ADMIN", "SYS_TIME" in securityContext.capabilities.add)',
    ],
    ["host paths", { volumes: [{ name: "v", hostPath: { path: "/" } }] }, 'hostPath volumes (volume "v")'],
    [
      "host ports",
      {
        containers: [
          {
            name: "c",
            ports: [
              { containerPort: 1, hostPort: 80 },
              { containerPort: 2, hostPort: 443 },
            ],
          },
        ],
      },
      'hostPort (container "c" uses hostPorts 443, 80)',
    ],
    [
      "AppArmor profiles",
      { securityContext: { appArmorProfile: { type: "Unconfined" } } },
      'forbidden AppArmor profile (pod must not set AppArmor profile type to "Unconfined")',
    ],
    [
      "SELinux options",
      { securityContext: { seLinuxOptions: { type: "spc_t", user: "u" } } },
      'seLinuxOptions (pod set forbidden securityContext.seLinuxOptions: type "spc_t"; user may not be set)',
    ],
    [
      "proc mounts",
      withContext({ procMount: "Unmasked" }),
      'procMount (container "c" must not set securityContext.procMount to "Unmasked")',
    ],
    [
      "seccomp profiles",
      {
        securityContext: { seccompProfile: { type: "Unconfined" } },
        ...withContext({ seccompProfile: { type: "Unconfined" } }),
      },
      'seccompProfile (pod and container "c" must not set securityContext.seccompProfile.type to "Unconfined")',
    ],
    [
      "sysctls",
      { securityContext: { sysctls: [{ name: "kernel.msgmax", value: "1" }] } },
      "forbidden sysctls (kernel.msgmax)",
    ],
    [
      "host processes",
      { securityContext: { windowsOptions: { hostProcess: true } } },
      "hostProcess (pod must not set securityContext.windowsOptions.hostProcess=true)",
    ],
  ])("%s", async (_, spec, message) => {
    const { refused } = await ask({ [label("enforce")]: "baseline" }, request(pod(spec)));
    expect(refused).toBe(`pods "web" is forbidden: violates PodSecurity "baseline:latest": ${message}`);
  });
});

describe("restricted refuses beyond that", () => {
  test.each([
    [
      "volumes",
      {
        containers: [good],
        volumes: [
          { name: "v", hostPath: { path: "/" } },
          { name: "n", nfs: {} },
          { name: "e", emptyDir: {} },
        ],
      },
      'restricted volume types (volumes "v", "n" use restricted volume types "hostPath", "nfs")',
    ],
    [
      "root, openly",
      goodWith({ runAsNonRoot: false }),
      'runAsNonRoot != true (container "c" must not set securityContext.runAsNonRoot=false)',
    ],
    ["root, by number", goodWith({ runAsUser: 0 }), 'runAsUser=0 (container "c" must not set runAsUser=0)'],
    [
      "capabilities that baseline takes",
      goodWith({ capabilities: { drop: ["ALL"], add: ["CHOWN", "NET_BIND_SERVICE"] } }),
      'unrestricted capabilities (container "c" must not include "CHOWN" in securityContext.capabilities.add)',
    ],
  ])("%s", async (_, spec, message) => {
    const { refused } = await ask({ [label("enforce")]: "restricted" }, request(pod(spec)));
    expect(refused).toBe(`pods "web" is forbidden: violates PodSecurity "restricted:latest": ${message}`);
  });
});

test.each([
  ["v1.26", "net.ipv4.ip_local_reserved_ports", "baseline:v1.26"],
  ["v1.27", "net.ipv4.ip_local_reserved_ports", ""],
  ["latest", "net.ipv4.tcp_rmem", ""],
])("a namespace at %s is held to what held then", async (version, name, standard) => {
  const labels = { [label("enforce")]: "baseline", [label("enforce-version")]: version };
  const spec = { securityContext: { sysctls: [{ name, value: "1" }] } };
  const { refused } = await ask(labels, request(pod(spec)));
  if (standard === "") expect(refused).toBe("");
  else expect(refused).toContain(`violates PodSecurity "${standard}": forbidden sysctls (${name})`);
});

test("warnings are given and nothing is refused; what is refused is not warned of", async () => {
  const spec = { hostNetwork: true };
  expect(await ask({ [label("warn")]: "baseline" }, request(pod(spec)))).toEqual({
    refused: "",
    warnings: ['would violate PodSecurity "baseline:latest": host namespaces (hostNetwork=true)'],
  });
  const both = { [label("enforce")]: "baseline", [label("warn")]: "restricted" };
  expect((await ask(both, request(pod(spec)))).warnings).toEqual([]);
});

test.each([
  ["deployments", "apps", (template: object) => ({ spec: { template } })],
  ["cronjobs", "batch", (template: object) => ({ spec: { jobTemplate: { spec: { template } } } })],
  ["podtemplates", "", (template: object) => ({ template })],
])("%s are warned of what their pods would be refused for", async (resource, group, wrap) => {
  const object = wrap({ spec: { containers: [good], hostPID: true } }) as never;
  expect(await ask({ [label("enforce")]: "baseline" }, request(object, { resource, group }))).toEqual({
    refused: "",
    warnings: ['would violate PodSecurity "baseline:latest": host namespaces (hostPID=true)'],
  });
});

test.each([
  ["user", { usernames: ["jane"] }],
  ["namespace", { namespaces: ["a"] }],
  ["runtime class", { runtimeClasses: ["sandboxed"] }],
])("an exempt %s is not looked at", async (_, exempt) => {
  const asked = request(pod({ hostPID: true, runtimeClassName: "sandboxed" }));
  expect((await ask({ [label("enforce")]: "baseline" }, asked, { exempt })).refused).toBe("");
});

test("only what matters of an update is judged, and ephemeral containers are", async () => {
  const labels = { [label("enforce")]: "baseline" };
  const old = pod({ hostPID: true });
  const update = { operation: "UPDATE" as const, oldObject: old };
  expect((await ask(labels, request(pod({ hostPID: true }, { labels: { a: "b" } }), update))).refused).toBe("");
  const image = pod({ hostPID: true, containers: [{ name: "c", image: "new" }] });
  expect((await ask(labels, request(image, update))).refused).toContain("hostPID=true");
  const debug = pod({ ephemeralContainers: [{ name: "d", securityContext: { privileged: true } }] });
  const ephemeral = { operation: "UPDATE" as const, oldObject: pod(), subresource: "ephemeralcontainers" };
  expect((await ask(labels, request(debug, ephemeral))).refused).toContain('privileged (container "d"');
});

test("labels that say nothing sensible are refused, and count as restricted where they are", async () => {
  const labels = { [label("enforce")]: "strict", [label("warn-version")]: "1.2" };
  const asked = request({ metadata: { name: "a", labels } }, { resource: "namespaces", kind: "Namespace", name: "a" });
  expect((await ask({}, asked)).refused).toBe(
    'Namespace "a" is invalid: [metadata.labels[pod-security.kubernetes.io/enforce]: Invalid value: "strict": must be one of privileged, baseline, restricted, metadata.labels[pod-security.kubernetes.io/warn-version]: Invalid value: "1.2": must be "latest" or "v1.x"]',
  );
  expect((await ask(labels, request(pod()))).refused).toContain('violates PodSecurity "restricted:latest"');
});

test("a namespace that becomes stricter tells of pods that are there", async () => {
  const cache = new FixtureCache();
  for (const name of ["x", "y", "z"]) cache.put(pods, { metadata: { name, namespace: "a" }, spec: { hostPID: true } });
  cache.put(pods, { metadata: { name: "fine", namespace: "a" }, spec: { containers: [good] } });
  const plugin = podSecurity({ cache });
  const warnings: string[] = [];
  await plugin.validate?.(
    request(
      { metadata: { name: "a", labels: { [label("enforce")]: "baseline" } } },
      {
        resource: "namespaces",
        kind: "Namespace",
        name: "a",
        operation: "UPDATE",
        oldObject: { metadata: { name: "a" } },
        warn: (text) => warnings.push(text),
      },
    ),
  );
  expect(warnings).toEqual([
    'existing pods in namespace "a" violate the new PodSecurity enforce level "baseline:latest"',
    "x (and 2 other pods): host namespaces",
  ]);
});

test.each([
  [
    "what is enforced and what would be found",
    {},
    { "enforce-policy": "baseline:latest", "audit-violations": "found" },
  ],
  ["that a namespace is exempt", { exempt: { namespaces: ["a"] } }, { exempt: "namespace" }],
  ["that a user is exempt", { exempt: { usernames: [request(pod()).user.username] } }, { exempt: "user" }],
])("audit events tell %s", async (_, more, expected) => {
  const said: Record<string, string> = {};
  const annotate = (key: string, value: string): void => {
    said[key.replace("pod-security.kubernetes.io/", "")] = value.replace(
      /^would violate PodSecurity "restricted.*/,
      "found",
    );
  };
  const labels = { [label("enforce")]: "baseline", [label("audit")]: "restricted" };
  await ask(labels, { ...request(pod()), annotate }, more);
  expect(said).toEqual(expected);
});
