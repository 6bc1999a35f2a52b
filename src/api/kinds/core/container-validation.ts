import { duplicate, forbidden, invalid, notFoundValue, notSupported, required, tooMany } from "../../field-error.js";
import type { Container, ContainerPort, EphemeralContainer, PodSpec, Volume, VolumeMount } from "../../gen/types.js";
import { validatePortName } from "../../names.js";
import {
  addInvalid,
  checkEnum,
  checkLabel,
  checkOptionalEnum,
  checkRange,
  checkRequired,
  type Errors,
} from "../checks.js";
import { checkIp } from "../ip.js";
import type { Loose } from "../loose.js";
import { checkEnv, checkEnvFrom } from "./env-validation.js";
import { checkDescendingPath } from "./path-validation.js";
import { checkLifecycle, checkProbe } from "./probe-validation.js";
import { checkResourceRequirements } from "./resources-validation.js";
import { checkContainerSecurity } from "./security-validation.js";

/** What a container's checks need to know of its pod. */
export interface PodContext {
  readonly spec: Loose<PodSpec>;
  readonly volumes: ReadonlyMap<string, Loose<Volume>>;
  readonly claims: ReadonlySet<string>;
  /** Absent where the pod has none, which is an error of its own. */
  readonly gracePeriodSeconds: number | undefined;
}

type AnyContainer = Loose<Container> & { readonly targetContainerName?: string | undefined };

export function checkContainers(errors: Errors, path: string, pod: PodContext): void {
  const containers = pod.spec.containers ?? [];
  if (containers.length === 0) {
    errors.push(required(path));
    return;
  }
  const names = new Set<string>();
  containers.forEach((container, index) => {
    const at = `${path}[${index}]`;
    checkCommon(errors, at, container, pod);
    if (container.name) {
      if (names.has(container.name)) errors.push(duplicate(`${at}.name`, container.name));
      names.add(container.name);
    }
    checkLifecycle(errors, `${at}.lifecycle`, container.lifecycle, pod.gracePeriodSeconds);
    checkProbes(errors, at, container, pod);
    checkRestartPolicy(errors, at, container, false);
  });
  checkHostPorts(errors, path, containers);
}

export function checkInitContainers(errors: Errors, path: string, pod: PodContext): void {
  const names = new Set((pod.spec.containers ?? []).map((container) => container.name));
  pod.spec.initContainers?.forEach((container, index) => {
    const at = `${path}[${index}]`;
    checkCommon(errors, at, container, pod);
    checkRestartPolicy(errors, at, container, true);
    if (container.name) {
      if (names.has(container.name)) errors.push(duplicate(`${at}.name`, container.name));
      names.add(container.name);
    }
    checkHostPorts(errors, path, [container]);
    if (container.restartPolicy === "Always") {
      // A sidecar: it goes on beside the containers, so it has all that they have.
      checkLifecycle(errors, `${at}.lifecycle`, container.lifecycle, pod.gracePeriodSeconds);
      checkProbes(errors, at, container, pod);
      return;
    }
    for (const field of ["lifecycle", "livenessProbe", "readinessProbe", "startupProbe"] as const) {
      if (container[field] === undefined) continue;
      errors.push(forbidden(`${at}.${field}`, "may not be set for init containers without restartPolicy=Always"));
    }
  });
}

const notForEphemeral = [
  "ports",
  "resources",
  "resizePolicy",
  "restartPolicy",
  "restartPolicyRules",
  "livenessProbe",
  "readinessProbe",
  "startupProbe",
  "lifecycle",
] as const;

export function checkEphemeralContainers(errors: Errors, path: string, pod: PodContext): void {
  const others = [...(pod.spec.containers ?? []), ...(pod.spec.initContainers ?? [])];
  const targets: ReadonlySet<string | undefined> = new Set(others.map((container) => container.name));
  const names = new Set(targets);
  pod.spec.ephemeralContainers?.forEach((container: Loose<EphemeralContainer>, index) => {
    const at = `${path}[${index}]`;
    checkCommon(errors, at, container, pod);
    checkImagePadding(errors, at, container.image);
    if (container.name) {
      if (names.has(container.name)) errors.push(duplicate(`${at}.name`, container.name));
      names.add(container.name);
    }
    if (container.targetContainerName && !targets.has(container.targetContainerName)) {
      errors.push(notFoundValue(`${at}.targetContainerName`, container.targetContainerName));
    }
    for (const field of notForEphemeral) {
      const value: unknown = container[field];
      if (value === undefined || value === "" || isEmpty(value)) continue;
      errors.push(forbidden(`${at}.${field}`, "cannot be set for an Ephemeral Container"));
    }
    container.volumeMounts?.forEach((mount, position) => {
      for (const field of ["subPath", "subPathExpr"] as const) {
        if (!mount[field]) continue;
        const where = `${at}.volumeMounts[${position}].${field}`;
        errors.push(forbidden(where, "cannot be set for an Ephemeral Container"));
      }
    });
  });
}

function isEmpty(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}

/** What all three sorts of containers have in common. */
function checkCommon(errors: Errors, path: string, container: AnyContainer, pod: PodContext): void {
  if (checkRequired(errors, `${path}.name`, container.name)) checkLabel(errors, `${path}.name`, container.name);
  checkRequired(errors, `${path}.image`, container.image);
  checkEnum(errors, `${path}.terminationMessagePolicy`, container.terminationMessagePolicy, [
    "File",
    "FallbackToLogsOnError",
  ]);
  if (container.ports !== undefined) checkPorts(errors, `${path}.ports`, container.ports);
  if (container.env !== undefined) checkEnv(errors, `${path}.env`, container.env);
  if (container.envFrom !== undefined) checkEnvFrom(errors, `${path}.envFrom`, container.envFrom);
  checkMounts(errors, `${path}.volumeMounts`, container, pod.volumes);
  checkDevices(errors, `${path}.volumeDevices`, container, pod.volumes);
  checkEnum(errors, `${path}.imagePullPolicy`, container.imagePullPolicy, ["Always", "IfNotPresent", "Never"]);
  checkResourceRequirements(errors, `${path}.resources`, container.resources, { claims: pod.claims });
  checkResizePolicy(errors, `${path}.resizePolicy`, container, pod.spec.restartPolicy);
  const hostUsers = pod.spec.hostUsers !== false;
  checkContainerSecurity(errors, `${path}.securityContext`, container.securityContext, hostUsers);
}

/** Templates may have spaces around images, for they always could; pods may not. */
export function checkImagePadding(errors: Errors, path: string, image = ""): void {
  if (image.trim() === image) return;
  errors.push(invalid(`${path}.image`, image, "must not have leading or trailing whitespace"));
}

function checkProbes(errors: Errors, path: string, container: AnyContainer, pod: PodContext): void {
  for (const kind of ["livenessProbe", "readinessProbe", "startupProbe"] as const) {
    checkProbe(errors, `${path}.${kind}`, kind, container[kind], pod.gracePeriodSeconds);
  }
}

function checkPorts(errors: Errors, path: string, ports: readonly Loose<ContainerPort>[]): void {
  const names = new Set<string>();
  ports.forEach((port, index) => {
    const at = `${path}[${index}]`;
    if (port.name) {
      const messages = validatePortName(port.name);
      addInvalid(errors, `${at}.name`, port.name, messages);
      if (messages.length === 0 && names.has(port.name)) errors.push(duplicate(`${at}.name`, port.name));
      names.add(port.name);
    }
    if (!port.containerPort) errors.push(required(`${at}.containerPort`));
    else checkRange(errors, `${at}.containerPort`, port.containerPort, 1, 65535);
    if (port.hostPort) checkRange(errors, `${at}.hostPort`, port.hostPort, 1, 65535);
    if (port.hostIP) checkIp(errors, `${at}.hostIP`, port.hostIP);
    checkEnum(errors, `${at}.protocol`, port.protocol, ["SCTP", "TCP", "UDP"]);
  });
}

/** On the host's network a container's port is the host's. A template may leave the host's out: pods get it by default. */
export function checkHostNetworkPorts(errors: Errors, path: string, spec: Loose<PodSpec>, isPod: boolean): void {
  if (spec.hostNetwork !== true) return;
  spec.containers?.forEach((container, index) => {
    container.ports?.forEach(({ hostPort = 0, containerPort = 0 }, position) => {
      if (hostPort === containerPort || (hostPort === 0 && !isPod)) return;
      const at = `${path}[${index}].ports[${position}].hostPort`;
      errors.push(invalid(at, hostPort, "must match `containerPort` when `hostNetwork` is true"));
    });
  });
}

/** Two containers of a pod cannot have the same port of the host. */
function checkHostPorts(errors: Errors, path: string, containers: readonly Loose<Container>[]): void {
  const taken = new Set<string>();
  containers.forEach((container, index) => {
    container.ports?.forEach((port, position) => {
      if (!port.hostPort) return;
      const key = `${port.protocol ?? ""}/${port.hostIP ?? ""}/${port.hostPort}`;
      if (taken.has(key)) errors.push(duplicate(`${path}[${index}].ports[${position}].hostPort`, key));
      taken.add(key);
    });
  });
}

function checkMounts(
  errors: Errors,
  path: string,
  container: AnyContainer,
  volumes: ReadonlyMap<string, Loose<Volume>>,
): void {
  const devices = container.volumeDevices ?? [];
  const places = new Set<string>();
  container.volumeMounts?.forEach((mount, index) => {
    const at = `${path}[${index}]`;
    const { name = "", mountPath = "" } = mount;
    checkRequired(errors, `${at}.name`, name);
    const volume = volumes.get(name);
    if (volume === undefined) errors.push(notFoundValue(`${at}.name`, name));
    checkRequired(errors, `${at}.mountPath`, mountPath);
    if (places.has(mountPath)) errors.push(invalid(`${at}.mountPath`, mountPath, "must be unique"));
    places.add(mountPath);
    if (devices.some((device) => device.name === name)) {
      errors.push(invalid(`${at}.name`, name, "must not already exist in volumeDevices"));
    }
    if (devices.some(({ devicePath }) => devicePath === mountPath)) {
      errors.push(invalid(`${at}.mountPath`, mountPath, "must not already exist as a path in volumeDevices"));
    }
    checkMountOptions(errors, path, at, mount, container.securityContext?.privileged === true);
  });
}

// Upstream does not say which mount has the bad option: `path` is the list, `at` the mount.
function checkMountOptions(
  errors: Errors,
  path: string,
  at: string,
  mount: Loose<VolumeMount>,
  privileged: boolean,
): void {
  if (mount.subPath) checkDescendingPath(errors, `${path}.subPath`, mount.subPath);
  if (mount.subPathExpr) {
    if (mount.subPath) {
      const why = "subPathExpr and subPath are mutually exclusive";
      errors.push(invalid(`${at}.subPathExpr`, mount.subPathExpr, why));
    }
    checkDescendingPath(errors, `${path}.subPathExpr`, mount.subPathExpr);
  }
  const propagation = mount.mountPropagation;
  checkOptionalEnum(errors, `${path}.mountPropagation`, propagation, ["Bidirectional", "HostToContainer", "None"]);
  if (propagation === "Bidirectional" && !privileged) {
    const why = "Bidirectional mount propagation is available only to privileged containers";
    errors.push(forbidden(`${path}.mountPropagation`, why));
  }
  const recursive = mount.recursiveReadOnly;
  if (recursive === undefined || recursive === "Disabled") return;
  const where = `${path}.recursiveReadOnly`;
  if (recursive !== "Enabled" && recursive !== "IfPossible") {
    errors.push(notSupported(where, recursive, ["Disabled", "Enabled", "IfPossible"]));
    return;
  }
  if (mount.readOnly !== true) errors.push(forbidden(where, "may only be specified when readOnly is true"));
  if (propagation !== undefined && propagation !== "None") {
    errors.push(forbidden(where, "may only be specified when mountPropagation is None or not specified"));
  }
}

function checkDevices(
  errors: Errors,
  path: string,
  container: AnyContainer,
  volumes: ReadonlyMap<string, Loose<Volume>>,
): void {
  const mounts = container.volumeMounts ?? [];
  const places = new Set<string>();
  const names = new Set<string>();
  container.volumeDevices?.forEach(({ name = "", devicePath = "" }, index) => {
    const at = `${path}[${index}]`;
    const volume = volumes.get(name);
    checkRequired(errors, `${at}.name`, name);
    if (names.has(name)) errors.push(invalid(`${at}.name`, name, "must be unique"));
    if (volume === undefined) errors.push(notFoundValue(`${at}.name`, name));
    else if (volume.persistentVolumeClaim === undefined && volume.ephemeral === undefined) {
      const why = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode";
      errors.push(invalid(`${at}.name`, name, why));
    }
    checkRequired(errors, `${at}.devicePath`, devicePath);
    if (places.has(devicePath)) errors.push(invalid(`${at}.devicePath`, devicePath, "must be unique"));
    if (devicePath.split("/").includes("..")) {
      errors.push(invalid(`${at}.devicePath`, devicePath, "can not contain backsteps ('..')"));
    } else places.add(devicePath);
    if (mounts.some((mount) => mount.name === name)) {
      errors.push(invalid(`${at}.name`, name, "must not already exist in volumeMounts"));
    }
    if (mounts.some(({ mountPath }) => mountPath === devicePath)) {
      errors.push(invalid(`${at}.devicePath`, devicePath, "must not already exist as a path in volumeMounts"));
    }
    if (name !== "") names.add(name);
  });
}

/** Upstream does not say which policy it is, but for one that is there twice. */
function checkResizePolicy(
  errors: Errors,
  path: string,
  container: AnyContainer,
  podRestartPolicy: string | undefined,
): void {
  const seen = new Set<string>();
  container.resizePolicy?.forEach(({ resourceName = "", restartPolicy = "" }, index) => {
    if (seen.has(resourceName)) errors.push(duplicate(`${path}[${index}]`, resourceName));
    seen.add(resourceName);
    checkEnum(errors, path, resourceName, ["cpu", "memory"]);
    checkEnum(errors, path, restartPolicy, ["NotRequired", "RestartContainer"]);
    if (podRestartPolicy === "Never" && restartPolicy !== "NotRequired") {
      errors.push(invalid(path, restartPolicy, "must be 'NotRequired' when `restartPolicy` is 'Never'"));
    }
  });
}

const maxRestartRules = 20;
const maxExitCodes = 255;

function checkRestartPolicy(errors: Errors, path: string, container: AnyContainer, init: boolean): void {
  const policy = container.restartPolicy;
  const rules = container.restartPolicyRules ?? [];
  if (policy !== undefined) {
    checkOptionalEnum(errors, `${path}.restartPolicy`, policy, ["Always", "Never", "OnFailure"]);
  } else if (rules.length > 0) {
    errors.push(required(`${path}.restartPolicy`, "must specify restartPolicy when restart rules are used"));
  }
  if (rules.length === 0) return;
  const at = `${path}.restartPolicyRules`;
  if (init && policy === "Always") {
    errors.push(forbidden(at, "restartPolicyRules are not allowed for init containers with restart policy Always"));
  }
  if (rules.length > maxRestartRules) errors.push(tooMany(at, rules.length, maxRestartRules));
  rules.forEach((rule, index) => {
    checkEnum(errors, `${at}[${index}].action`, rule.action, ["Restart", "RestartAllContainers"]);
    if (rule.exitCodes === undefined) {
      errors.push(required(`${at}[${index}].exitCodes`, "must be specified"));
      return;
    }
    checkEnum(errors, `${at}[${index}].exitCodes.operator`, rule.exitCodes.operator, ["In", "NotIn"]);
    const count = rule.exitCodes.values?.length ?? 0;
    if (count === 0) errors.push(required(`${at}[${index}].exitCodes.values`, "must specify at least one value"));
    if (count > maxExitCodes) errors.push(tooMany(`${at}[${index}].exitCodes.values`, count, maxExitCodes));
  });
}
