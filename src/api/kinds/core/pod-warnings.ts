import type { Container, Pod, PodSpec, PodTemplateSpec } from "../../gen/types.js";
import type { Loose } from "../loose.js";

/** Labels of nodes that have new names. */
const deprecatedNodeLabels: ReadonlyMap<string, string> = new Map([
  ["beta.kubernetes.io/arch", 'use "kubernetes.io/arch" instead'],
  ["beta.kubernetes.io/os", 'use "kubernetes.io/os" instead'],
  ["failure-domain.beta.kubernetes.io/region", 'use "topology.kubernetes.io/region" instead'],
  ["failure-domain.beta.kubernetes.io/zone", 'use "topology.kubernetes.io/zone" instead'],
  ["beta.kubernetes.io/instance-type", 'use "node.kubernetes.io/instance-type" instead'],
]);

export function podWarnings(pod: Loose<Pod>): readonly string[] {
  return pod.spec === undefined ? [] : specWarnings("spec", pod.spec);
}

export function templateWarnings(path: string, template: Loose<PodTemplateSpec> | undefined): readonly string[] {
  return template?.spec === undefined ? [] : specWarnings(`${path}.spec`, template.spec);
}

function specWarnings(path: string, spec: Loose<PodSpec>): readonly string[] {
  const warnings: string[] = [];
  for (const key of Object.keys(spec.nodeSelector ?? {})) {
    const instead = deprecatedNodeLabels.get(key);
    if (instead !== undefined) warnings.push(`${path}.nodeSelector[${key}]: deprecated since v1.14; ${instead}`);
  }
  const terms = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];
  terms.forEach((term, index) => {
    term.matchExpressions?.forEach(({ key = "" }, position) => {
      const instead = deprecatedNodeLabels.get(key);
      if (instead === undefined) return;
      const at = `${path}.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[${index}]`;
      warnings.push(`${at}.matchExpressions[${position}].key: ${key} is deprecated since v1.14; ${instead}`);
    });
  });
  spec.volumes?.forEach((volume, index) => {
    const at = `${path}.volumes[${index}]`;
    if (volume.gitRepo !== undefined)
      warnings.push(`${at}.gitRepo: deprecated in v1.11, and disabled by default in v1.33+`);
    if (volume.scaleIO !== undefined) warnings.push(`${at}.scaleIO: deprecated in v1.16, non-functional in v1.22+`);
    if (volume.storageos !== undefined) warnings.push(`${at}.storageOS: deprecated in v1.22, non-functional in v1.25+`);
    if (volume.glusterfs !== undefined) warnings.push(`${at}.glusterfs: deprecated in v1.25, non-functional in v1.26+`);
    if (volume.cephfs !== undefined) warnings.push(`${at}.cephfs: deprecated in v1.28, non-functional in v1.31+`);
    if (volume.rbd !== undefined) warnings.push(`${at}.rbd: deprecated in v1.28, non-functional in v1.31+`);
  });
  const names = new Set<string>();
  spec.hostAliases?.forEach((alias, index) => {
    if (names.has(alias.ip ?? "")) {
      warnings.push(`${path}.hostAliases[${index}].ip: duplicate ip ${JSON.stringify(alias.ip)}`);
    }
    names.add(alias.ip ?? "");
  });
  for (const kind of ["initContainers", "containers"] as const) {
    spec[kind]?.forEach((container, index) => {
      warnings.push(...containerWarnings(`${path}.${kind}[${index}]`, container));
    });
  }
  warnings.push(...portWarnings(path, spec));
  return warnings;
}

function containerWarnings(path: string, container: Loose<Container>): readonly string[] {
  const warnings: string[] = [];
  for (const list of ["limits", "requests"] as const) {
    for (const name of ["memory", "ephemeral-storage"]) {
      const value = container.resources?.[list]?.[name];
      if (typeof value === "string" && value.endsWith("m")) {
        const shown = JSON.stringify(value);
        warnings.push(
          `${path}.resources.${list}[${name}]: fractional byte value ${shown} is invalid, must be an integer`,
        );
      }
    }
  }
  const seen = new Map<string, { readonly value: string; readonly literal: boolean }>();
  container.env?.forEach((variable, index) => {
    const name = variable.name ?? "";
    const literal = variable.value !== undefined && variable.value !== "";
    const value = variable.value ?? JSON.stringify(variable.valueFrom);
    const earlier = seen.get(name);
    // A later definition that reads the earlier one is meant.
    if (earlier !== undefined && !(literal && value.includes(`$(${name})`))) {
      warnings.push(
        `${path}.env[${index}]: hides previous definition of ${JSON.stringify(name)}, which may be dropped when using apply`,
      );
    }
    seen.set(name, { value, literal });
  });
  return warnings;
}

function portWarnings(path: string, spec: Loose<PodSpec>): readonly string[] {
  const warnings: string[] = [];
  const seen = new Map<string, string>();
  spec.containers?.forEach((container, index) => {
    container.ports?.forEach((port, position) => {
      const key = `${port.protocol ?? "TCP"}/${port.containerPort ?? 0}/${port.hostIP ?? ""}/${port.hostPort ?? 0}`;
      const at = `${path}.containers[${index}].ports[${position}]`;
      const earlier = seen.get(key);
      if (earlier !== undefined) warnings.push(`${at}: duplicate port definition with ${earlier}`);
      else seen.set(key, at);
    });
  });
  return warnings;
}
