import type { Container, ContainerPort, Pod, PodSpec, PodTemplateSpec } from "../../gen/types.js";
import { tryParseQuantity } from "../../quantity.js";
import { legacyIpWarnings } from "../ip-warnings.js";
import { type Dictionary, type Loose, ownValue } from "../loose.js";
import { appArmorPrefix, appArmorWarning, seccompContainerPrefix, seccompPodAnnotation } from "./pod-annotations.js";
import { schedulingWarnings } from "./scheduling-warnings.js";
import { claimSpecWarnings } from "./storage-validation.js";
import { volumePathWarnings } from "./volume-path-warnings.js";

type Meta = { readonly annotations?: Dictionary | undefined } | undefined;

export function podWarnings(pod: Loose<Pod>): readonly string[] {
  return pod.spec === undefined ? [] : warningsOf("", pod.metadata, pod.spec);
}

export function podStatusWarnings({ status }: Loose<Pod>): readonly string[] {
  return (["podIPs", "hostIPs"] as const).flatMap((list) =>
    (status?.[list] ?? []).flatMap(({ ip = "" }, index) => legacyIpWarnings(`status.${list}[${index}].ip`, ip)),
  );
}

/** `path` leads to the template. */
export function templateWarnings(path: string, template: Loose<PodTemplateSpec> | undefined): readonly string[] {
  return template?.spec === undefined ? [] : warningsOf(`${path}.`, template.metadata, template.spec);
}

/** What a pod says that has no effect, or not the one that its author will expect. `prefix` ends with a dot, or is empty. */
function warningsOf(prefix: string, meta: Meta, spec: Loose<PodSpec>): readonly string[] {
  const path = `${prefix}spec`;
  const annotations = (key: string): string => `${prefix}metadata.annotations[${key}]`;
  const seccompInstead = 'non-functional in v1.27+; use the "seccompProfile" field instead';
  const warnings: string[] = [...schedulingWarnings(path, spec)];
  for (const [key, instead] of goneAnnotations) {
    if (ownValue(meta?.annotations, key) !== undefined) warnings.push(`${annotations(key)}: ${instead}`);
  }
  warnings.push(...volumeWarnings(path, spec), ...volumePathWarnings(spec), ...listWarnings(path, spec));
  for (const name of byteResources) warnFraction(warnings, `${path}.overhead[${name}]`, ownValue(spec.overhead, name));
  if (
    spec.securityContext?.seccompProfile === undefined &&
    ownValue(meta?.annotations, seccompPodAnnotation) !== undefined
  ) {
    warnings.push(`${annotations(seccompPodAnnotation)}: ${seccompInstead}`);
  }
  for (const { container, path: at } of containersOf(path, spec)) {
    const seccomp = `${seccompContainerPrefix}${container.name ?? ""}`;
    if (container.securityContext?.seccompProfile === undefined && ownValue(meta?.annotations, seccomp) !== undefined) {
      warnings.push(`${annotations(seccomp)}: ${seccompInstead}`);
    }
    const appArmor = `${appArmorPrefix}${container.name ?? ""}`;
    const confined = container.securityContext?.appArmorProfile ?? spec.securityContext?.appArmorProfile;
    // A pod's annotation became its field before this.
    if (prefix !== "" && confined === undefined && ownValue(meta?.annotations, appArmor) !== undefined) {
      warnings.push(`${annotations(appArmor)}: ${appArmorWarning}`);
    }
    warnings.push(...containerWarnings(at, container));
  }
  warnings.push(...portWarnings(path, spec));
  if ((spec.terminationGracePeriodSeconds ?? 0) < 0) {
    const why = "must be >= 0; negative values are invalid and will be treated as 1";
    warnings.push(`${path}.terminationGracePeriodSeconds: ${why}`);
  }
  spec.dnsConfig?.nameservers?.forEach((address, index) => {
    warnings.push(...legacyIpWarnings(`${path}.dnsConfig.nameservers[${index}]`, address));
  });
  spec.hostAliases?.forEach((alias, index) => {
    warnings.push(...legacyIpWarnings(`${path}.hostAliases[${index}].ip`, alias.ip ?? ""));
  });
  return warnings;
}

const sysctlsInstead = 'non-functional in v1.11+; use the "sysctls" field instead';
const goneAnnotations = [
  ["scheduler.alpha.kubernetes.io/critical-pod", 'non-functional in v1.16+; use the "priorityClassName" field instead'],
  ["security.alpha.kubernetes.io/sysctls", sysctlsInstead],
  ["security.alpha.kubernetes.io/unsafe-sysctls", sysctlsInstead],
] as const;

const goneSources = {
  photonPersistentDisk: "photonPersistentDisk: deprecated in v1.11, non-functional in v1.16+",
  gitRepo: "gitRepo: deprecated in v1.11, and disabled by default in v1.33+",
  scaleIO: "scaleIO: deprecated in v1.16, non-functional in v1.22+",
  flocker: "flocker: deprecated in v1.22, non-functional in v1.25+",
  storageos: "storageOS: deprecated in v1.22, non-functional in v1.25+",
  quobyte: "quobyte: deprecated in v1.22, non-functional in v1.25+",
  glusterfs: "glusterfs: deprecated in v1.25, non-functional in v1.26+",
  cephfs: "cephfs: deprecated in v1.28, non-functional in v1.31+",
  rbd: "rbd: deprecated in v1.28, non-functional in v1.31+",
} as const;

function volumeWarnings(path: string, spec: Loose<PodSpec>): readonly string[] {
  const warnings: string[] = [];
  spec.volumes?.forEach((volume, index) => {
    const at = `${path}.volumes[${index}]`;
    for (const [source, warning] of Object.entries(goneSources)) {
      if (Reflect.get(volume, source) !== undefined) warnings.push(`${at}.${warning}`);
    }
    const claim = volume.ephemeral?.volumeClaimTemplate?.spec;
    if (claim !== undefined) warnings.push(...claimSpecWarnings(`${at}.ephemeral.volumeClaimTemplate.spec`, claim));
  });
  return warnings;
}

function listWarnings(path: string, spec: Loose<PodSpec>): readonly string[] {
  const warnings: string[] = [];
  const addresses = new Set<string>();
  spec.hostAliases?.forEach(({ ip = "" }, index) => {
    if (addresses.has(ip)) warnings.push(`${path}.hostAliases[${index}].ip: duplicate ip ${JSON.stringify(ip)}`);
    addresses.add(ip);
  });
  const secrets = new Set<string>();
  spec.imagePullSecrets?.forEach(({ name = "" }, index) => {
    const at = `${path}.imagePullSecrets[${index}].name`;
    if (secrets.has(name)) warnings.push(`${at}: duplicate name ${JSON.stringify(name)}`);
    secrets.add(name);
    if (name === "") warnings.push(`${at}: invalid empty name ""`);
  });
  return warnings;
}

interface Placed {
  readonly path: string;
  readonly container: Loose<Container>;
}

function containersOf(path: string, spec: Loose<PodSpec>): readonly Placed[] {
  return (["initContainers", "containers", "ephemeralContainers"] as const).flatMap((kind) =>
    (spec[kind] ?? []).map((container: Loose<Container>, index) => ({
      path: `${path}.${kind}[${index}]`,
      container,
    })),
  );
}

const byteResources = ["memory", "ephemeral-storage"];

/** A part of a byte was most likely meant to be a multiple of one. */
function warnFraction(warnings: string[], path: string, value: string | undefined): void {
  const quantity = tryParseQuantity(value);
  if (quantity === undefined || quantity.milliValue() % 1000 === 0) return;
  warnings.push(`${path}: fractional byte value "${quantity}" is invalid, must be an integer`);
}

function containerWarnings(path: string, container: Loose<Container>): readonly string[] {
  const warnings: string[] = [];
  for (const name of byteResources) {
    for (const list of ["limits", "requests"] as const) {
      const value = ownValue(container.resources?.[list], name);
      warnFraction(warnings, `${path}.resources.${list}[${name}]`, value);
    }
  }
  const seen = new Set<string>();
  container.env?.forEach(({ name = "", value = "", valueFrom }, index) => {
    // A later definition that reads the earlier one is meant.
    const reads = valueFrom === undefined && value.includes(`$(${name})`);
    if (seen.has(name) && !reads) {
      const why = `hides previous definition of ${JSON.stringify(name)}, which may be dropped when using apply`;
      warnings.push(`${path}.env[${index}]: ${why}`);
    }
    seen.add(name);
  });
  return warnings;
}

interface PlacedPort {
  readonly path: string;
  readonly port: Loose<ContainerPort>;
}

/** Ports that are given twice, or that contradict each other on the host. */
function portWarnings(path: string, spec: Loose<PodSpec>): readonly string[] {
  const warnings: string[] = [];
  const seen = new Map<string, PlacedPort[]>();
  for (const { path: at, container } of containersOf(path, spec)) {
    container.ports?.forEach((port, index) => {
      const where = `${at}.ports[${index}]`;
      if (port.hostIP && !port.hostPort) warnings.push(`${where}: hostIP set without hostPort: ${goPort(port)}`);
      const key = `${port.containerPort ?? 0}/${port.protocol ?? ""}`;
      const others = seen.get(key) ?? [];
      for (const other of others) {
        const conflict = conflictOf(port, other.port);
        if (conflict !== undefined) warnings.push(`${where}: ${conflict} port definition with ${other.path}`);
      }
      seen.set(key, [...others, { path: where, port }]);
    });
  }
  return warnings;
}

function conflictOf(port: Loose<ContainerPort>, other: Loose<ContainerPort>): string | undefined {
  const [ip, otherIp] = [port.hostIP ?? "", other.hostIP ?? ""];
  const [host, otherHost] = [port.hostPort ?? 0, other.hostPort ?? 0];
  if (ip === otherIp && host === otherHost) return "duplicate";
  if (host === 0 || otherHost === 0) return "overlapping";
  return host === otherHost && (ip === "") !== (otherIp === "") ? "dangerously ambiguous" : undefined;
}

/** As upstream prints the port. */
function goPort({
  name = "",
  hostPort = 0,
  containerPort = 0,
  protocol = "",
  hostIP = "",
}: Loose<ContainerPort>): string {
  return `{Name:${name} HostPort:${hostPort} ContainerPort:${containerPort} Protocol:${protocol} HostIP:${hostIP}}`;
}
