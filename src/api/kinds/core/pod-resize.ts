import { type FieldError, forbidden, invalid } from "../../field-error.js";
import type { Container, Pod, PodSpec, ResourceRequirements } from "../../gen/types.js";
import { semanticallyEqual } from "../equality.js";
import { type Dictionary, type Loose, ownValue } from "../loose.js";
import { mirrorAnnotation } from "./pod-annotations.js";
import { qosClass } from "./qos.js";

const resizable = ["cpu", "memory"] as const;

/** What a resize may do to the containers, and so to the pod. */
export function validateResize(pod: Loose<Pod>, old: Loose<Pod>): readonly FieldError[] {
  const spec = pod.spec ?? {};
  const before = old.spec ?? {};
  if (ownValue(old.metadata?.annotations, mirrorAnnotation) !== undefined) {
    return [forbidden("", "static pods cannot be resized")];
  }
  if (before.os?.name === "windows") return [forbidden("", "windows pods cannot be resized")];
  const errors: FieldError[] = [];
  if ((old.status?.qosClass ?? qosClass(before)) !== qosClass(spec)) {
    errors.push(invalid("spec", qosClass(spec), "Pod QOS Class may not change as a result of resizing"));
  }
  if (!supportsResize(old)) errors.push(forbidden("spec", "Pod running on node without support for resize"));
  for (const kind of ["initContainers", "containers"] as const) errors.push(...removals(kind, spec, before));
  errors.push(...surplusChanges(spec, before));
  return errors;
}

/** A node that knows resizing tells the resources of what runs. */
function supportsResize(pod: Loose<Pod>): boolean {
  const running = pod.status?.containerStatuses?.find((status) => status.state?.running !== undefined);
  return running === undefined || running.resources !== undefined;
}

function isSidecar(container: Loose<Container> | undefined): boolean {
  return container?.restartPolicy === "Always";
}

/** What a container has been promised cannot be taken away altogether. */
function removals(
  kind: "containers" | "initContainers",
  spec: Loose<PodSpec>,
  old: Loose<PodSpec>,
): readonly FieldError[] {
  const errors: FieldError[] = [];
  old[kind]?.forEach((container, index) => {
    if (kind === "initContainers" && !isSidecar(container)) return;
    const now = spec[kind]?.[index]?.resources;
    for (const list of ["requests", "limits"] as const) {
      const gone = Object.keys(container.resources?.[list] ?? {}).some((name) => !ownValue(now?.[list], name));
      if (!gone) continue;
      errors.push(forbidden(`spec.${kind}[${index}].resources.${list}`, `resource ${list} cannot be removed`));
    }
  });
  return errors;
}

function surplusChanges(spec: Loose<PodSpec>, old: Loose<PodSpec>): readonly FieldError[] {
  const errors: FieldError[] = [];
  spec.containers?.forEach((container, index) => {
    const before = old.containers?.[index];
    if (semanticallyEqual(withOldAmounts(container, before), before)) return;
    errors.push(forbidden("spec", "only cpu and memory resources are mutable"));
  });
  spec.initContainers?.forEach((container, index) => {
    const before = old.initContainers?.[index];
    if (!isSidecar(container)) {
      if (semanticallyEqual(container, before)) return;
      errors.push(forbidden("spec", "resources for non-sidecar init containers are immutable"));
    } else if (!semanticallyEqual(withOldAmounts(container, before), before)) {
      errors.push(forbidden("spec", "only cpu and memory resources for sidecar containers are mutable"));
    }
  });
  return errors;
}

/** The container with the cpu and memory that it had: whatever else differs may not. */
function withOldAmounts(container: Loose<Container>, old: Loose<Container> | undefined): Loose<Container> {
  const { claims, ...lists } = container.resources ?? {};
  const before: Loose<ResourceRequirements> = old?.resources ?? {};
  const restored = (list: "limits" | "requests"): Dictionary => {
    const amounts = new Map(Object.entries(lists[list] ?? {}));
    for (const name of resizable) {
      const amount = ownValue(before[list], name);
      if (amount === undefined) amounts.delete(name);
      else amounts.set(name, amount);
    }
    return Object.fromEntries(amounts);
  };
  const resources = { claims, limits: restored("limits"), requests: restored("requests") };
  return { ...container, resizePolicy: old?.resizePolicy, resources };
}
