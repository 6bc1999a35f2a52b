import type { Container, Pod, PodSpec } from "../../api/index.js";

export type ContainerRole = "init" | "sidecar" | "main" | "ephemeral";

export interface PodContainer {
  readonly role: ContainerRole;
  readonly container: Container;
}

const noSpec: PodSpec = { containers: [] };

export function specOf(pod: Pod): PodSpec {
  return pod.spec ?? noSpec;
}

/** An init container that keeps running beside the main ones. */
export function isSidecar(container: Container): boolean {
  return container.restartPolicy === "Always";
}

/** All of a pod's containers in the order in which they start. */
export function containersOf(pod: Pod): PodContainer[] {
  const spec = specOf(pod);
  return [
    ...(spec.initContainers ?? []).map((container) => ({
      role: isSidecar(container) ? ("sidecar" as const) : ("init" as const),
      container,
    })),
    ...spec.containers.map((container) => ({ role: "main" as const, container })),
    ...(spec.ephemeralContainers ?? []).map((container) => ({
      role: "ephemeral" as const,
      container: container as Container,
    })),
  ];
}

export function findContainer(pod: Pod, name: string): PodContainer | undefined {
  return containersOf(pod).find(({ container }) => container.name === name);
}

/** The field of the pod that events about a container point at. */
export function fieldPathOf({ role, container }: PodContainer): string {
  const list = role === "main" ? "containers" : role === "ephemeral" ? "ephemeralContainers" : "initContainers";
  return `spec.${list}{${container.name}}`;
}

/** Whether a container that ended so is to run again, by the pod's policy, its own, and its rules. */
export function restartsAfter(pod: Pod, container: Container, exitCode: number): boolean {
  for (const { action, exitCodes } of container.restartPolicyRules ?? []) {
    if (action !== "Restart" || exitCodes === undefined) continue;
    const listed = (exitCodes.values ?? []).includes(exitCode);
    if (listed === (exitCodes.operator === "In")) return true;
  }
  const policy = container.restartPolicy ?? specOf(pod).restartPolicy ?? "Always";
  return policy === "Always" || (policy === "OnFailure" && exitCode !== 0);
}

/** Whether a container that a probe condemned is to run again: its rules, which are about exit codes, have no say. */
export function restartsAfterProbe(pod: Pod, container: Container): boolean {
  return (container.restartPolicy ?? specOf(pod).restartPolicy ?? "Always") !== "Never";
}

export function podLabel(pod: Pod): string {
  return `${pod.metadata.name}_${pod.metadata.namespace ?? ""}(${pod.metadata.uid})`;
}
