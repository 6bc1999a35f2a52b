import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Container, type Pod, quantityMilliValue, quantityValue, type VolumeMount } from "../../api/index.js";
import type { ContainerConfig, ContainerResources, ContainerSecurity, Image, Mount } from "../../runtime/index.js";
import type { DeviceAccess } from "../devices/plugin.js";
import { ConfigError } from "../env/container-env.js";
import { expand } from "../env/expand.js";
import type { MountedVolumes, SubPathMount } from "../volumes/volume-manager.js";
import { cpuPeriodUs, cpuQuotaUs, cpuShares } from "./cgroup-units.js";
import { type PodContainer, podLabel, specOf } from "./containers.js";
import { oomScoreAdj } from "./qos.js";
import { runtimeAnnotations, runtimeLabels } from "./runtime-state.js";
import { groupsOf, groupsPolicyOf, hostnameOf, namespacesOf, profileOf } from "./sandbox-config.js";

export interface ContainerConfigInput {
  readonly pod: Pod;
  readonly container: PodContainer;
  readonly attempt: number;
  readonly image: Image;
  readonly env: ReadonlyMap<string, string>;
  /** Undefined on a node that keeps nothing on disk. */
  readonly disk?:
    | {
        readonly podDir: string;
        readonly volumes: MountedVolumes;
        /** Where a part of a volume is. */
        subPath(mount: SubPathMount): Promise<string>;
      }
    | undefined;
  readonly podIps: readonly string[];
  readonly clusterDomain: string;
  readonly nodeMemoryBytes: number;
  /** Whether the pod's runtime handler can make mounts read-only with all that is below them. */
  readonly recursiveReadOnly: boolean;
  /** What it needs in order to use the devices that it was given. */
  readonly devices?: readonly DeviceAccess[] | undefined;
  /** For an ephemeral container: the container whose processes it sees. */
  readonly targetId?: string | undefined;
}

/** What the runtime is told of one container. Rejects with ConfigError when the pod asks for what cannot be. */
export async function containerConfig(input: ContainerConfigInput): Promise<ContainerConfig> {
  const { pod, attempt, image, env, devices = [] } = input;
  const { container } = input.container;
  const { name, namespace = "", uid } = pod.metadata;
  const lookup = (variable: string): string | undefined => env.get(variable);
  const disk = input.disk === undefined ? undefined : await diskOf(input, lookup);
  return {
    metadata: { name: container.name, attempt },
    image: image.id,
    userImage: container.image,
    command: (container.command ?? []).map((word) => expand(word, lookup)),
    args: (container.args ?? []).map((word) => expand(word, lookup)),
    workingDir: container.workingDir,
    // What the pod says itself has the last word.
    env: [...devices.flatMap(({ envs }) => Object.entries(envs)), ...env].map(([key, value]) => ({ name: key, value })),
    mounts: [...devices.flatMap(deviceMounts), ...(disk?.mounts ?? [])],
    ...devicesOf(devices),
    labels: {
      [runtimeLabels.podName]: name,
      [runtimeLabels.podNamespace]: namespace,
      [runtimeLabels.podUid]: uid,
      [runtimeLabels.containerName]: container.name,
    },
    annotations: {
      ...Object.assign({}, ...devices.map(({ annotations }) => annotations)),
      [runtimeAnnotations.hash]: hashOf(container),
      [runtimeAnnotations.restartCount]: String(attempt),
      [runtimeAnnotations.terminationMessagePath]: container.terminationMessagePath ?? "/dev/termination-log",
      [runtimeAnnotations.terminationMessagePolicy]: container.terminationMessagePolicy ?? "File",
      ...(disk === undefined ? {} : { [runtimeAnnotations.terminationHostPath]: disk.terminationPath }),
    },
    logPath: `${container.name}/${attempt}.log`,
    stdin: container.stdin,
    stdinOnce: container.stdinOnce,
    tty: container.tty,
    resources: cgroupResources(pod, container, input.nodeMemoryBytes),
    security: securityOf(input),
    stopSignal: container.lifecycle?.stopSignal,
  };
}

function deviceMounts({ mounts }: DeviceAccess): Mount[] {
  return mounts.map(({ containerPath, hostPath, readOnly }) => ({ containerPath, hostPath, readonly: readOnly }));
}

function devicesOf(granted: readonly DeviceAccess[]): Pick<ContainerConfig, "devices" | "cdiDevices"> {
  if (granted.length === 0) return {};
  return {
    devices: granted.flatMap(({ devices }) => devices),
    cdiDevices: granted.flatMap(({ cdiDevices }) => cdiDevices),
  };
}

/** Of the part of a definition whose change means a restart: as upstream, name and image. */
export function hashOf(container: Container): string {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(`${container.name}\0${container.image ?? ""}`)) {
    hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  }
  return hash.toString(16);
}

async function diskOf(
  input: ContainerConfigInput,
  lookup: (variable: string) => string | undefined,
): Promise<{ readonly mounts: Mount[]; readonly terminationPath: string } | undefined> {
  const { pod, attempt, disk } = input;
  const { container } = input.container;
  if (disk === undefined) return undefined;
  const mounts: Mount[] = [];
  for (const [index, mount] of (container.volumeMounts ?? []).entries()) {
    const path = disk.volumes.paths.get(mount.name);
    if (path === undefined)
      throw new ConfigError(`cannot find volume "${mount.name}" to mount into container "${container.name}"`);
    const subPath = mount.subPathExpr ? expand(mount.subPathExpr, required(lookup)) : mount.subPath;
    const part = { volume: mount.name, volumePath: path, container: container.name, index, subPath: subPath ?? "" };
    const hostPath = subPath ? await disk.subPath(part).catch(subPathProblem(container, mount.name)) : path;
    const propagation = mount.mountPropagation;
    const recursive = recursiveReadOnly(mount, input.recursiveReadOnly);
    if (recursive === undefined) {
      const message = `mount ${JSON.stringify(mount.name)} has recursiveReadOnly=Enabled, which the runtime does not support`;
      throw new ConfigError(`failed to resolve recursive read-only mode: ${message}`);
    }
    mounts.push({
      containerPath: mount.mountPath,
      hostPath,
      readonly: (mount.readOnly ?? false) || disk.volumes.readOnly.has(mount.name),
      recursiveReadOnly: recursive,
      propagation:
        propagation === "Bidirectional"
          ? "bidirectional"
          : propagation === "HostToContainer"
            ? "host-to-container"
            : "private",
    });
  }
  const own = join(disk.podDir, "containers", container.name);
  await mkdir(own, { recursive: true });
  const terminationPath = join(own, `${attempt}.termination`);
  await writeFile(terminationPath, "", { mode: 0o666, flag: "a" });
  await chmod(terminationPath, 0o666);
  const containerPath = container.terminationMessagePath ?? "/dev/termination-log";
  mounts.push({ containerPath, hostPath: terminationPath, readonly: false });
  const taken = (container.volumeMounts ?? []).some(({ mountPath }) => mountPath === "/etc/hosts");
  if (!taken) {
    const hosts = join(disk.podDir, "etc-hosts");
    await writeFile(hosts, specOf(pod).hostNetwork ? await hostNetworkHosts(pod) : hostsFile(input));
    mounts.push({ containerPath: "/etc/hosts", hostPath: hosts, readonly: false });
  }
  return { mounts, terminationPath };
}

/** Whether a mount is read-only with all that is below it; undefined: it is to be, and cannot. */
export function recursiveReadOnly(
  { readOnly, recursiveReadOnly: mode = "Disabled" }: VolumeMount,
  supported: boolean,
): boolean | undefined {
  if (!readOnly || mode === "Disabled") return false;
  return supported || (mode === "IfPossible" ? false : undefined);
}

/** A part of a volume is never named by a variable that is not there. */
function required(lookup: (variable: string) => string | undefined): (variable: string) => string {
  return (variable) => {
    const value = lookup(variable);
    if (value === undefined) throw new ConfigError(`missing value for ${JSON.stringify(variable)}`);
    return value;
  };
}

function subPathProblem(container: Container, volume: string): (error: unknown) => never {
  return (error) => {
    const why = error instanceof Error ? error.message : String(error);
    const message = `failed to prepare subPath for volumeMount "${volume}" of container "${container.name}"`;
    throw new ConfigError(`${message}: ${why}`, { cause: error });
  };
}

/** The host's own names, and the pod's aliases. */
async function hostNetworkHosts(pod: Pod): Promise<string> {
  const own = await readFile("/etc/hosts", "utf8").catch(() => "");
  return `# Kubernetes-managed hosts file (host network).\n${own}${aliases(pod)}`;
}

function hostsFile({ pod, podIps, clusterDomain }: ContainerConfigInput): string {
  const { subdomain } = specOf(pod);
  const hostname = hostnameOf(pod, clusterDomain).split(".")[0] ?? "";
  const full = subdomain ? `${hostname}.${subdomain}.${pod.metadata.namespace}.svc.${clusterDomain}\t` : "";
  const lines = [
    "# Kubernetes-managed hosts file.",
    "127.0.0.1\tlocalhost",
    "::1\tlocalhost ip6-localhost ip6-loopback",
    "fe00::0\tip6-localnet",
    "fe00::0\tip6-mcastprefix",
    "fe00::1\tip6-allnodes",
    "fe00::2\tip6-allrouters",
    ...podIps.map((ip) => `${ip}\t${full}${hostname}`),
  ];
  return `${lines.join("\n")}\n${aliases(pod)}`;
}

function aliases(pod: Pod): string {
  const { hostAliases = [] } = specOf(pod);
  const lines = hostAliases.map(({ ip, hostnames }) => `${ip}\t${(hostnames ?? []).join("\t")}\n`);
  return lines.length === 0 ? "" : `\n# Entries added by HostAliases.\n${lines.join("")}`;
}

/** What a container is held to, in the terms of control groups; 0: not limited. */
export function cgroupResources(pod: Pod, container: Container, nodeMemoryBytes: number): ContainerResources {
  const { requests, limits } = container.resources ?? {};
  const request = requests?.cpu ?? limits?.cpu;
  const limit = limits?.cpu === undefined ? 0 : quantityMilliValue(limits.cpu);
  return {
    cpuShares: request === undefined ? 2 : cpuShares(quantityMilliValue(request)),
    cpuPeriodUs,
    cpuQuotaUs: limit === 0 ? 0 : cpuQuotaUs(limit),
    memoryLimitBytes: limits?.memory === undefined ? 0 : quantityValue(limits.memory),
    oomScoreAdj: oomScoreAdj(pod, container, nodeMemoryBytes),
  };
}

function securityOf({ pod, container: { container }, image, targetId }: ContainerConfigInput): ContainerSecurity {
  const ofPod = specOf(pod).securityContext;
  const own = container.securityContext;
  const runAsUser = own?.runAsUser ?? ofPod?.runAsUser;
  if (own?.runAsNonRoot ?? ofPod?.runAsNonRoot) {
    const where = `(pod: "${podLabel(pod)}", container: ${container.name})`;
    if (runAsUser === 0) throw new ConfigError(`container's runAsUser breaks non-root policy ${where}`);
    if (runAsUser === undefined && image.username && !/^\d+$/.test(image.username)) {
      const message = `container has runAsNonRoot and image has non-numeric user (${image.username}), cannot verify user is non-root`;
      throw new ConfigError(`${message} ${where}`);
    }
    if (runAsUser === undefined && (image.uid ?? 0) === 0) {
      throw new ConfigError(`container has runAsNonRoot and image will run as root ${where}`);
    }
  }
  const namespaces = namespacesOf(pod);
  return {
    namespaces: targetId === undefined ? namespaces : { ...namespaces, pid: "target", targetId },
    privileged: own?.privileged,
    runAsUser: runAsUser ?? image.uid,
    runAsUsername: runAsUser === undefined && image.uid === undefined ? image.username : undefined,
    runAsGroup: own?.runAsGroup ?? ofPod?.runAsGroup,
    supplementalGroups: groupsOf(ofPod),
    supplementalGroupsPolicy: groupsPolicyOf(ofPod),
    readonlyRootfs: own?.readOnlyRootFilesystem,
    noNewPrivileges: own?.allowPrivilegeEscalation === false,
    addCapabilities: own?.capabilities?.add,
    dropCapabilities: own?.capabilities?.drop,
    seccomp: profileOf(own?.seccompProfile ?? ofPod?.seccompProfile),
    appArmor: profileOf(own?.appArmorProfile ?? ofPod?.appArmorProfile),
  };
}
