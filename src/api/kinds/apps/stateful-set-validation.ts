import { type FieldError, forbidden, invalid, notSupported, required } from "../../field-error.js";
import type { StatefulSet, StatefulSetSpec } from "../../gen/types.js";
import {
  checkLabel,
  checkNonNegative,
  checkNonNegativeIntOrPercent,
  checkNotOver100Percent,
  type Errors,
} from "../checks.js";
import { checkClaimSpec } from "../core/claim-spec-validation.js";
import { semanticallyEqual } from "../equality.js";
import type { Loose } from "../loose.js";
import { checkAtMost, checkCollisions, checkCounts, checkRunsForever, checkSelectorAndTemplate } from "./validation.js";

export function validateStatefulSet(set: Loose<StatefulSet>): readonly FieldError[] {
  const errors: Errors = [];
  const spec = set.spec ?? {};
  const management = spec.podManagementPolicy ?? "";
  if (management === "") errors.push(required("spec.podManagementPolicy"));
  else if (management !== "OrderedReady" && management !== "Parallel") {
    errors.push(invalid("spec.podManagementPolicy", management, "must be 'OrderedReady' or 'Parallel'"));
  }
  checkUpdateStrategy(errors, "spec.updateStrategy", spec.updateStrategy ?? {});
  for (const field of ["whenDeleted", "whenScaled"] as const) {
    const value = spec.persistentVolumeClaimRetentionPolicy?.[field];
    if (value === undefined || value === "Retain" || value === "Delete") continue;
    errors.push(notSupported(`spec.persistentVolumeClaimRetentionPolicy.${field}`, value, ["Retain", "Delete"]));
  }
  checkNonNegative(errors, "spec.replicas", spec.replicas);
  checkNonNegative(errors, "spec.minReadySeconds", spec.minReadySeconds);
  checkNonNegative(errors, "spec.ordinals.start", spec.ordinals?.start);
  checkSelectorAndTemplate(errors, spec.selector, withClaims(spec), "statefulset");
  checkRunsForever(errors, spec.template, "StatefulSet");
  return errors;
}

/** The template as its pods have it: each claim is a volume of its name. */
function withClaims({
  template,
  volumeClaimTemplates = [],
}: Loose<StatefulSetSpec>): Loose<StatefulSetSpec>["template"] {
  if (volumeClaimTemplates.length === 0) return template;
  const names = volumeClaimTemplates.map(({ metadata }) => metadata?.name ?? "");
  const own = template?.spec?.volumes?.filter(({ name = "" }) => !names.includes(name)) ?? [];
  const claimed = names.map((name) => ({ name, persistentVolumeClaim: { claimName: name } }));
  return { ...template, spec: { ...template?.spec, volumes: [...own, ...claimed] } };
}

/** What older servers stored stays as it was. */
export function validateNewStatefulSet(set: Loose<StatefulSet>): readonly FieldError[] {
  const errors: Errors = [];
  const { serviceName, volumeClaimTemplates } = set.spec ?? {};
  volumeClaimTemplates?.forEach(({ spec = {} }, index) => {
    checkClaimSpec(errors, `spec.volumeClaimTemplates[${index}].spec`, spec);
  });
  if (serviceName) checkLabel(errors, "spec.serviceName", serviceName);
  return errors;
}

type UpdateStrategy = NonNullable<NonNullable<Loose<StatefulSet>["spec"]>["updateStrategy"]>;

function checkUpdateStrategy(errors: Errors, path: string, strategy: UpdateStrategy): void {
  const rolling = strategy.rollingUpdate;
  switch (strategy.type ?? "") {
    case "":
      errors.push(required(path));
      return;
    case "OnDelete":
      if (rolling !== undefined) {
        errors.push(invalid(`${path}.rollingUpdate`, rolling, "only allowed for updateStrategy 'RollingUpdate'"));
      }
      return;
    case "RollingUpdate": {
      if (rolling === undefined) return;
      checkNonNegative(errors, `${path}.rollingUpdate.partition`, rolling.partition);
      const at = `${path}.rollingUpdate.maxUnavailable`;
      const most = rolling.maxUnavailable;
      if (most === undefined) return;
      checkNonNegativeIntOrPercent(errors, at, most);
      if (most === 0 || most === "0%") errors.push(invalid(at, most, "cannot be 0"));
      checkNotOver100Percent(errors, at, most);
      return;
    }
    default:
      errors.push(invalid(path, strategy, "must be 'RollingUpdate' or 'OnDelete'"));
  }
}

const mutable = [
  "replicas",
  "ordinals",
  "template",
  "updateStrategy",
  "revisionHistoryLimit",
  "persistentVolumeClaimRetentionPolicy",
  "minReadySeconds",
] as const;

export function validateStatefulSetUpdate(set: Loose<StatefulSet>, old: Loose<StatefulSet>): readonly FieldError[] {
  const frozen = (spec: Loose<StatefulSet>["spec"]): unknown =>
    Object.fromEntries(Object.entries(spec ?? {}).filter(([key]) => !mutable.some((field) => field === key)));
  if (semanticallyEqual(frozen(set.spec), frozen(old.spec))) return [];
  const names = mutable.map((field) => `'${field}'`);
  const list = `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
  return [forbidden("spec", `updates to statefulset spec for fields other than ${list} are forbidden`)];
}

export function validateStatefulSetStatus(object: Loose<StatefulSet>, old: Loose<StatefulSet>): readonly FieldError[] {
  const errors: Errors = [];
  const status = object.status ?? {};
  const { replicas = 0, readyReplicas = 0, currentReplicas = 0, updatedReplicas = 0, availableReplicas = 0 } = status;
  checkCounts(errors, status, [
    "replicas",
    "readyReplicas",
    "currentReplicas",
    "updatedReplicas",
    "availableReplicas",
    "observedGeneration",
    "collisionCount",
  ]);
  checkAtMost(errors, "readyReplicas", readyReplicas, "status.replicas", replicas);
  checkAtMost(errors, "currentReplicas", currentReplicas, "status.replicas", replicas);
  checkAtMost(errors, "updatedReplicas", updatedReplicas, "status.replicas", replicas);
  checkAtMost(errors, "availableReplicas", availableReplicas, "status.replicas", replicas);
  checkAtMost(errors, "availableReplicas", availableReplicas, "status.readyReplicas", readyReplicas);
  checkCollisions(errors, status.collisionCount, old.status?.collisionCount);
  return errors;
}
