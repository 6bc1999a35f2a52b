import type { StrategyContext } from "../../description.js";
import type { ControllerRevision, DaemonSet, Deployment, ReplicaSet, StatefulSet } from "../../gen/types.js";
import { validateDns1123Label } from "../../names.js";
import { templateWarnings } from "../core/pod-warnings.js";
import { semanticallyEqual } from "../equality.js";
import type { Loose } from "../loose.js";
import { startsWithStatus } from "../status-zero.js";
import { type StrategyEntry, strategyOf } from "../strategy.js";
import { defaultDaemonSet, defaultDeployment, defaultReplicaSet, defaultStatefulSet } from "./defaults.js";
import {
  validateStatefulSet,
  validateStatefulSetStatus,
  validateStatefulSetUpdate,
} from "./stateful-set-validation.js";
import {
  validateControllerRevision,
  validateControllerRevisionUpdate,
  validateDaemonSet,
  validateDaemonSetStatus,
  validateDeployment,
  validateDeploymentStatus,
  validateReplicaSet,
  validateReplicaSetStatus,
  validateSelectorUpdate,
} from "./validation.js";

const scale = { specReplicas: ".spec.replicas", statusReplicas: ".status.replicas", selector: ".spec.selector" };

/** Annotations of a deployment are copied to its replica sets, so the controller must see that it has a new generation. */
function countAnnotations(
  deployment: Loose<Deployment>,
  old: Loose<Deployment>,
  context: StrategyContext,
): Loose<Deployment> {
  if (context.subresource !== undefined) return deployment;
  const before = old.metadata;
  if (semanticallyEqual(deployment.metadata?.annotations, before?.annotations, true)) return deployment;
  return { ...deployment, metadata: { ...deployment.metadata, generation: (before?.generation ?? 0) + 1 } };
}

type Workload = Parameters<typeof templateWarnings>[1];

/** Warnings about the template, when it is new or changed. */
export function workloadWarnings(
  object: { readonly spec?: { readonly template?: Workload } | undefined },
  old: { readonly spec?: { readonly template?: Workload } | undefined } | undefined,
): readonly string[] {
  const template = object.spec?.template;
  return template === old?.spec?.template ? [] : templateWarnings("spec.template", template);
}

export const appsStrategies: readonly StrategyEntry[] = [
  [
    "apps/deployments",
    strategyOf<Deployment>({
      defaults: defaultDeployment,
      prepareForCreate: startsWithStatus({}),
      prepareForUpdate: countAnnotations,
      validate: validateDeployment,
      validateUpdate: validateSelectorUpdate,
      validateStatusUpdate: validateDeploymentStatus,
      warnings: workloadWarnings,
      scale,
    }),
  ],
  [
    "apps/replicasets",
    strategyOf<ReplicaSet>({
      defaults: defaultReplicaSet,
      prepareForCreate: startsWithStatus({ replicas: 0 }),
      validate: validateReplicaSet,
      validateUpdate: validateSelectorUpdate,
      validateStatusUpdate: validateReplicaSetStatus,
      warnings: workloadWarnings,
      scale,
    }),
  ],
  [
    "apps/daemonsets",
    strategyOf<DaemonSet>({
      defaults: defaultDaemonSet,
      prepareForCreate: startsWithStatus({
        currentNumberScheduled: 0,
        desiredNumberScheduled: 0,
        numberMisscheduled: 0,
        numberReady: 0,
      }),
      validate: validateDaemonSet,
      validateUpdate: validateSelectorUpdate,
      validateStatusUpdate: validateDaemonSetStatus,
      warnings: workloadWarnings,
    }),
  ],
  [
    "apps/statefulsets",
    strategyOf<StatefulSet>({
      defaults: defaultStatefulSet,
      prepareForCreate: startsWithStatus({ replicas: 0, availableReplicas: 0 }),
      validate: validateStatefulSet,
      validateUpdate: validateStatefulSetUpdate,
      validateStatusUpdate: validateStatefulSetStatus,
      // Its pods have names of their own within a domain.
      validateName: validateDns1123Label,
      warnings: workloadWarnings,
      scale,
    }),
  ],
  [
    "apps/controllerrevisions",
    strategyOf<ControllerRevision>({
      validate: validateControllerRevision,
      validateUpdate: validateControllerRevisionUpdate,
      generation: false,
    }),
  ],
];
