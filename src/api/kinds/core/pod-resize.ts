import { type FieldError, forbidden, invalid } from "../../field-error.js";
import type { Container, Pod, PodSpec, ResourceRequirements } from "../../gen/types.js";
import { semanticallyEqual } from "../equality.js";
import { type Dictionary, isEmptyMap, type Loose, ownValue } from "../loose.js";
import { mirrorAnnotation } from "./pod-annotations.js";
import { qosClass } from "./qos.js";

const resizable = ["cpu", "memory"] as const;
const lists = ["requests", "limits"] as const;

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
  errors.push(...podLevelErrors(spec.resources, before.resources));
  const moved = [...movedErrors("containers", spec, before), ...movedErrors("initContainers", spec, before)];
  if (moved.length > 0) return [...errors, ...moved];
  for (const kind of ["initContainers", "containers"] as const) errors.push(...removals(kind, spec, before));
  errors.push(...surplusChanges(spec, before));
  return errors;
}

/** Resources of the pod as a whole may come, and may not go. */
function podLevelErrors(
  resources: Loose<ResourceRequirements> | undefined,
  old: Loose<ResourceRequirements> | undefined,
): readonly FieldError[] {
  if (isEmpty(resources) && isEmpty(old)) return [];
  if (resources === undefined) return [forbidden("spec.resources", "pod-level resources cannot be removed")];
  const errors: FieldError[] = [];
  for (const list of lists) {
    if (!isShortened(resources[list], old?.[list])) continue;
    errors.push(forbidden(`spec.resources.${list}`, `pod-level resource ${list} cannot be removed`));
  }
  if (!semanticallyEqual(withAmountsOf(resources, old), old)) {
    errors.push(forbidden("spec", "only cpu and memory resources are mutable at pod-level"));
  }
  return errors;
}

function isEmpty(resources: Loose<ResourceRequirements> | undefined): boolean {
  return isEmptyMap(resources?.requests) && isEmptyMap(resources?.limits);
}

function movedErrors(
  kind: "containers" | "initContainers",
  spec: Loose<PodSpec>,
  old: Loose<PodSpec>,
): readonly FieldError[] {
  const [now, before] = [spec[kind] ?? [], old[kind] ?? []];
  if (now.length !== before.length) {
    return [forbidden(`spec.${kind}`, `${kind} may not be added or removed on resize`)];
  }
  return before.flatMap(({ name }, index) =>
    name === now[index]?.name
      ? []
      : [forbidden(`spec.${kind}[${index}].name`, `${kind} may not be renamed or reordered on resize`)],
  );
}

/** A node that knows resizing tells the resources of what runs. */
function supportsResize(pod: Loose<Pod>): boolean {
  const running = pod.status?.containerStatuses?.find((status) => status.state?.running !== undefined);
  return running === undefined || running.resources !== undefined;
}

/** What a container has been promised cannot be taken away altogether. */
function removals(
  kind: "containers" | "initContainers",
  spec: Loose<PodSpec>,
  old: Loose<PodSpec>,
): readonly FieldError[] {
  const errors: FieldError[] = [];
  old[kind]?.forEach((container, index) => {
    for (const list of lists) {
      if (!isShortened(spec[kind]?.[index]?.resources?.[list], container.resources?.[list])) continue;
      errors.push(forbidden(`spec.${kind}[${index}].resources.${list}`, `resource ${list} cannot be removed`));
    }
  });
  return errors;
}

function isShortened(amounts: Dictionary | undefined, old: Dictionary | undefined): boolean {
  return Object.keys(old ?? {}).some((name) => ownValue(amounts, name) === undefined);
}

function surplusChanges(spec: Loose<PodSpec>, old: Loose<PodSpec>): readonly FieldError[] {
  const errors: FieldError[] = [];
  spec.containers?.forEach((container, index) => {
    const before = old.containers?.[index];
    if (semanticallyEqual(withOldAmounts(container, before), before)) return;
    errors.push(forbidden("spec", "only cpu and memory resources are mutable"));
  });
  spec.initContainers?.forEach((container, index) => {
    const at = `spec.initContainers[${index}]`;
    const before = old.initContainers?.[index];
    if (!semanticallyEqual(withOldAmounts(container, before), before)) {
      errors.push(forbidden(at, "only cpu and memory resources for init or sidecar containers are mutable"));
    }
    const restarts = container.resizePolicy?.some(({ restartPolicy }) => restartPolicy === "RestartContainer") === true;
    if (container.restartPolicy !== "Always" && restarts && !semanticallyEqual(container, before)) {
      const why = "non-sidecar init containers with a resize policy of RestartContainer cannot be resized";
      errors.push(forbidden(at, why));
    }
  });
  return errors;
}

/** The container with the cpu, the memory and the policy that it had: whatever else differs may not. */
function withOldAmounts(container: Loose<Container>, old: Loose<Container> | undefined): Loose<Container> {
  const resources = withAmountsOf(container.resources ?? {}, old?.resources);
  return { ...container, resizePolicy: old?.resizePolicy, resources };
}

function withAmountsOf(
  resources: Loose<ResourceRequirements>,
  old: Loose<ResourceRequirements> = {},
): Loose<ResourceRequirements> {
  const restored = (list: (typeof lists)[number]): Dictionary => {
    const amounts = new Map(Object.entries(resources[list] ?? {}));
    for (const name of resizable) {
      const amount = ownValue(old[list], name);
      if (amount === undefined) amounts.delete(name);
      else amounts.set(name, amount);
    }
    return Object.fromEntries(amounts);
  };
  return { ...resources, limits: restored("limits"), requests: restored("requests") };
}
