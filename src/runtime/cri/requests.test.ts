import { fromJSON } from "@grpc/proto-loader";
import { expect, test } from "vitest";
import type { ContainerConfig, PodSandboxConfig } from "../index.js";
import { definition, signalName, signalNames } from "./definition.js";
import { containerRequest, sandboxRequest } from "./requests.js";

const loaded = fromJSON(definition(), { longs: Number, enums: String, defaults: true, arrays: true, objects: true });

/** The message as containerd would read it. */
function throughTheWire(method: string, request: object): unknown {
  const service = loaded["runtime.v1.RuntimeService"];
  if (service === undefined || "format" in service) throw new Error("no such service");
  const found = service[method];
  if (found === undefined) throw new Error(`no method ${method}`);
  return found.requestDeserialize(found.requestSerialize(request));
}

const sandbox: PodSandboxConfig = {
  metadata: { name: "web", namespace: "default", uid: "u", attempt: 2 },
  hostname: "web",
  portMappings: [{ protocol: "UDP", containerPort: 53, hostPort: 5353, hostIp: "10.0.0.1" }],
  labels: { app: "web" },
  annotations: {},
  cgroupParent: "/pods/u",
  sysctls: { "net.core.somaxconn": "1024" },
  security: { namespaces: { network: "pod", pid: "container", ipc: "pod" } },
};
const container: ContainerConfig = {
  metadata: { name: "c", attempt: 3 },
  image: "sha256:1",
  command: ["a"],
  args: ["b"],
  env: [{ name: "K", value: "ü" }],
  mounts: [{ containerPath: "/c", hostPath: "/h", readonly: true, propagation: "bidirectional" }],
  labels: {},
  annotations: {},
  security: { namespaces: { network: "pod", pid: "target", ipc: "pod", targetId: "t" } },
};

test("a sandbox arrives as it was given", () => {
  expect(throughTheWire("RunPodSandbox", { config: sandboxRequest(sandbox), runtimeHandler: "kata" })).toMatchObject({
    runtimeHandler: "kata",
    config: {
      metadata: sandbox.metadata,
      hostname: "web",
      portMappings: [{ protocol: "UDP", containerPort: 53, hostPort: 5353, hostIp: "10.0.0.1" }],
      labels: { app: "web" },
      linux: {
        cgroupParent: "/pods/u",
        sysctls: { "net.core.somaxconn": "1024" },
        securityContext: {
          namespaceOptions: { network: "POD", pid: "CONTAINER", ipc: "POD" },
          runAsUser: null,
          seccomp: { profileType: "RuntimeDefault" },
        },
      },
    },
  });
});

test("a container arrives as it was given", () => {
  const config = containerRequest({
    ...container,
    stopSignal: "SIGRTMIN+3",
    resources: { cpuQuotaUs: 25_000, memoryLimitBytes: 2 ** 40 },
  });
  expect(throughTheWire("CreateContainer", { podSandboxId: "s", config })).toMatchObject({
    podSandboxId: "s",
    config: {
      command: ["a"],
      args: ["b"],
      envs: [{ key: "K", value: "ü" }],
      mounts: [{ containerPath: "/c", hostPath: "/h", readonly: true, propagation: "PROPAGATION_BIDIRECTIONAL" }],
      stopSignal: "SIGNAL_SIGRTMINPLUS3",
      linux: {
        resources: { cpuQuota: 25_000, memoryLimitInBytes: 2 ** 40 },
        securityContext: { namespaceOptions: { pid: "TARGET", targetId: "t" }, seccomp: null },
      },
    },
  });
});

test.each([
  { name: "nobody", security: {}, expected: { runAsUser: null, runAsGroup: null, runAsUsername: "" } },
  { name: "a group alone is root's", security: { runAsGroup: 5 }, expected: { runAsUser: { value: 0 } } },
  {
    name: "a user by name",
    security: { runAsUsername: "www", runAsGroup: 5 },
    expected: { runAsUser: null, runAsUsername: "www" },
  },
  { name: "root is somebody", security: { runAsUser: 0 }, expected: { runAsUser: { value: 0 } } },
])("users: $name", ({ security, expected }) => {
  const { namespaces } = container.security;
  const config = containerRequest({ ...container, security: { namespaces, ...security } });
  expect(throughTheWire("CreateContainer", { config })).toMatchObject({
    config: { linux: { securityContext: expected } },
  });
});

test("what is privileged sees all of /proc", () => {
  const { namespaces } = container.security;
  const plain = throughTheWire("CreateContainer", { config: containerRequest(container) });
  expect(plain).toMatchObject({
    config: { linux: { securityContext: { maskedPaths: expect.arrayContaining(["/proc/kcore"]) } } },
  });
  const config = containerRequest({ ...container, security: { namespaces, privileged: true } });
  expect(throughTheWire("CreateContainer", { config })).toMatchObject({
    config: { linux: { securityContext: { privileged: true, maskedPaths: [], readonlyPaths: [] } } },
  });
});

test("groups, profiles and mounts below read-only ones are told in CRI's terms", () => {
  const { namespaces } = container.security;
  const security = {
    namespaces,
    supplementalGroupsPolicy: "Strict",
    appArmor: { type: "Localhost", localhostRef: "own" },
  } as const;
  const mounts = [{ containerPath: "/a", hostPath: "/b", readonly: true, recursiveReadOnly: true }];
  expect(
    throughTheWire("CreateContainer", { config: containerRequest({ ...container, mounts, security }) }),
  ).toMatchObject({
    config: {
      mounts: [{ readonly: true, recursiveReadOnly: true }],
      linux: {
        securityContext: {
          supplementalGroupsPolicy: "Strict",
          apparmor: { profileType: "Localhost", localhostRef: "own" },
        },
      },
    },
  });
  expect(throughTheWire("RunPodSandbox", { config: sandboxRequest({ ...sandbox, security }) })).toMatchObject({
    config: { linux: { securityContext: { supplementalGroupsPolicy: "Strict" } } },
  });
});

test("a sandbox on the host's network has no name of its own", () => {
  const security = { namespaces: { network: "node", pid: "node", ipc: "node" } } as const;
  expect(sandboxRequest({ ...sandbox, security })).toMatchObject({ hostname: "" });
});

test("signals have CRI's numbers", () => {
  const names = [...signalNames];
  // Of the Container Runtime Interface's definition.
  const known = {
    SIGABRT: 1,
    SIGKILL: 13,
    SIGTERM: 23,
    SIGXFSZ: 34,
    SIGRTMIN: 35,
    "SIGRTMIN+15": 50,
    "SIGRTMAX-1": 64,
  };
  for (const [signal, number] of Object.entries(known)) expect(names.indexOf(signalName(signal))).toBe(number);
  expect(names).toHaveLength(66);
});
