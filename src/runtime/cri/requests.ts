import type { ContainerConfig, ContainerFilter, ContainerResources, ContainerSecurity, Mount } from "../container.js";
import type { PullImageOptions } from "../image.js";
import type {
  NamespaceMode,
  NamespaceOptions,
  PodSandboxConfig,
  SandboxFilter,
  SandboxSecurity,
  SecurityProfile,
} from "../sandbox.js";
import { signalName, signalNames } from "./definition.js";

/** Paths of /proc and /sys that containers do not see, as upstream's default procMount has it. */
const maskedPaths = [
  "/proc/asound",
  "/proc/acpi",
  "/proc/interrupts",
  "/proc/kcore",
  "/proc/keys",
  "/proc/latency_stats",
  "/proc/timer_list",
  "/proc/timer_stats",
  "/proc/sched_debug",
  "/proc/scsi",
  "/sys/firmware",
  "/sys/devices/virtual/powercap",
];
const readonlyPaths = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

const namespaceModes: Readonly<Record<NamespaceMode, string>> = {
  pod: "POD",
  container: "CONTAINER",
  node: "NODE",
  target: "TARGET",
};

const propagations: Readonly<Record<NonNullable<Mount["propagation"]>, string>> = {
  private: "PROPAGATION_PRIVATE",
  "host-to-container": "PROPAGATION_HOST_TO_CONTAINER",
  bidirectional: "PROPAGATION_BIDIRECTIONAL",
};

export function sandboxRequest(config: PodSandboxConfig): object {
  const { dns, cgroupParent, sysctls, security } = config;
  return {
    metadata: config.metadata,
    hostname: security.namespaces.network === "node" ? "" : config.hostname,
    logDirectory: config.logDirectory ?? "",
    ...(dns === undefined ? {} : { dnsConfig: dns }),
    portMappings: config.portMappings,
    labels: config.labels,
    annotations: config.annotations,
    linux: {
      cgroupParent: cgroupParent ?? "",
      sysctls: sysctls ?? {},
      securityContext: sandboxSecurity(security),
    },
  };
}

function sandboxSecurity(security: SandboxSecurity): object {
  const { privileged, seccomp } = security;
  return {
    namespaceOptions: namespaceOptions(security.namespaces),
    ...userOf(security),
    supplementalGroups: security.supplementalGroups ?? [],
    ...strictnessOf(security),
    privileged: privileged ?? false,
    // As upstream: the program that holds the sandbox is confined whatever its pod says, where the pod is not privileged.
    ...seccompOf(seccomp ?? (privileged ? undefined : { type: "RuntimeDefault" })),
  };
}

export function containerRequest(config: ContainerConfig): object {
  const { security, stopSignal } = config;
  const signal = stopSignal === undefined ? undefined : signalName(stopSignal);
  return {
    metadata: config.metadata,
    image: { image: config.image, userSpecifiedImage: config.userImage ?? "" },
    command: config.command,
    args: config.args,
    workingDir: config.workingDir ?? "",
    envs: config.env.map(({ name, value }) => ({ key: name, value })),
    mounts: config.mounts.map(({ propagation = "private", ...mount }) => ({
      ...mount,
      propagation: propagations[propagation],
    })),
    devices: config.devices ?? [],
    cdiDevices: (config.cdiDevices ?? []).map((name) => ({ name })),
    labels: config.labels,
    annotations: config.annotations,
    logPath: config.logPath ?? "",
    stdin: config.stdin ?? false,
    stdinOnce: config.stdinOnce ?? false,
    tty: config.tty ?? false,
    linux: {
      resources: resourcesRequest(config.resources ?? {}),
      securityContext: containerSecurity(security),
    },
    ...(signal !== undefined && signalNames.has(signal) ? { stopSignal: signal } : {}),
  };
}

export function resourcesRequest(resources: ContainerResources): object {
  return {
    cpuPeriod: resources.cpuPeriodUs ?? 0,
    cpuQuota: resources.cpuQuotaUs ?? 0,
    cpuShares: resources.cpuShares ?? 0,
    memoryLimitInBytes: resources.memoryLimitBytes ?? 0,
    oomScoreAdj: resources.oomScoreAdj ?? 0,
  };
}

function containerSecurity(security: ContainerSecurity): object {
  const privileged = security.privileged ?? false;
  return {
    capabilities: {
      addCapabilities: security.addCapabilities ?? [],
      dropCapabilities: security.dropCapabilities ?? [],
    },
    privileged,
    namespaceOptions: namespaceOptions(security.namespaces),
    ...userOf(security),
    readonlyRootfs: security.readonlyRootfs ?? false,
    supplementalGroups: security.supplementalGroups ?? [],
    ...strictnessOf(security),
    noNewPrivs: security.noNewPrivileges ?? false,
    maskedPaths: privileged ? [] : maskedPaths,
    readonlyPaths: privileged ? [] : readonlyPaths,
    ...(privileged ? {} : seccompOf(security.seccomp)),
    ...(privileged || security.appArmor === undefined ? {} : { apparmor: profileOf(security.appArmor) }),
  };
}

/** Said only where it is not the runtime's default. */
function strictnessOf({ supplementalGroupsPolicy }: SandboxSecurity | ContainerSecurity): object {
  return supplementalGroupsPolicy === "Strict" ? { supplementalGroupsPolicy } : {};
}

/** A group without a user is refused by the runtime: the user is then root, as it would be without a group. */
function userOf(security: SandboxSecurity | ContainerSecurity): object {
  const { runAsGroup } = security;
  const username = "runAsUsername" in security ? security.runAsUsername : undefined;
  const runAsUser = security.runAsUser ?? (runAsGroup !== undefined && username === undefined ? 0 : undefined);
  return {
    ...(runAsUser === undefined ? {} : { runAsUser: { value: runAsUser } }),
    ...(username === undefined || runAsUser !== undefined ? {} : { runAsUsername: username }),
    ...(runAsGroup === undefined ? {} : { runAsGroup: { value: runAsGroup } }),
  };
}

function seccompOf(profile: SecurityProfile | undefined): object {
  return profile === undefined ? {} : { seccomp: profileOf(profile) };
}

function profileOf({ type, localhostRef = "" }: SecurityProfile): object {
  return { profileType: type, localhostRef };
}

function namespaceOptions({ network, pid, ipc, targetId }: NamespaceOptions): object {
  return {
    network: namespaceModes[network],
    pid: namespaceModes[pid],
    ipc: namespaceModes[ipc],
    targetId: targetId ?? "",
  };
}

export function sandboxFilter({ id, state, labels }: SandboxFilter): object {
  return {
    id: id ?? "",
    ...(state === undefined ? {} : { state: { state: `SANDBOX_${state.toUpperCase()}` } }),
    labelSelector: labels ?? {},
  };
}

export function containerFilter({ id, sandboxId, state, labels }: ContainerFilter): object {
  return {
    id: id ?? "",
    podSandboxId: sandboxId ?? "",
    ...(state === undefined ? {} : { state: { state: `CONTAINER_${state.toUpperCase()}` } }),
    labelSelector: labels ?? {},
  };
}

export function pullRequest(reference: string, { auth, annotations, runtimeHandler }: PullImageOptions): object {
  return {
    image: { image: reference, annotations: annotations ?? {}, runtimeHandler: runtimeHandler ?? "" },
    ...(auth === undefined ? {} : { auth: definedOf(auth) }),
  };
}

function definedOf(values: object): object {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}
