import type { StrategyContext } from "../../description.js";
import type { FieldError } from "../../field-error.js";
import type {
  ConfigMap,
  CoreEvent,
  Endpoints,
  Event,
  LimitRange,
  Namespace,
  Node,
  PersistentVolume,
  PersistentVolumeClaim,
  PodTemplate,
  ReplicationController,
  ResourceQuota,
} from "../../gen/types.js";
import { validateDns1123Label } from "../../names.js";
import { defaultReplicationController } from "../apps/defaults.js";
import { validateReplicaSetStatus, validateReplicationController } from "../apps/validation.js";
import { namedWorkloadWarnings } from "../apps/workload-warnings.js";
import { type Errors, validatePathSegmentName } from "../checks.js";
import { mapField } from "../defaulting.js";
import { gated } from "../gated-fields.js";
import type { Loose } from "../loose.js";
import { startsWithStatus } from "../status-zero.js";
import { type StrategyEntry, strategyOf } from "../strategy.js";
import { defaultClaim, defaultVolumeObject } from "./claim-defaults.js";
import { prepareClaim } from "./claim-prepare.js";
import { defaultLimitRange, defaultNamespace, defaultNode, labelWithName } from "./cluster-defaults.js";
import { validateConfigMap, validateConfigMapUpdate } from "./config-validation.js";
import { validateEndpoints } from "./endpoints-validation.js";
import { validateCoreEvent, validateEvent, validateEventUpdate, validateNewEvent } from "./event-validation.js";
import { validateLimitRange } from "./limit-range-validation.js";
import { validateNamespace, validateNamespaceStatus, validateNamespaceUpdate } from "./namespace-validation.js";
import { validateNewNode, validateNode, validateNodeUpdate } from "./node-validation.js";
import { defaultPodTemplate } from "./pod-defaults.js";
import { templateGatedFields } from "./pod-gated-fields.js";
import { podStrategy } from "./pod-strategy.js";
import { checkPodTemplate } from "./pod-validation.js";
import { validateResourceQuota, validateResourceQuotaStatus, validateResourceQuotaUpdate } from "./quota-validation.js";
import { secretStrategy } from "./secret.js";
import { serviceAccountStrategy } from "./service-account.js";
import { defaultEndpoints } from "./service-defaults.js";
import { serviceStrategy } from "./service-strategy.js";
import { claimWarnings, validateClaim, validateClaimStatusUpdate, validateClaimUpdate } from "./storage-validation.js";
import { validatePersistentVolume, validatePersistentVolumeUpdate } from "./volume-object-validation.js";
import { volumeObjectWarnings } from "./volume-object-warnings.js";

const eventTtlSeconds = 3600;

/** A phase that is new begins now, unless who writes it says since when. */
function stampPhase(
  volume: Loose<PersistentVolume>,
  old: Loose<PersistentVolume>,
  { now, subresource }: StrategyContext,
): Loose<PersistentVolume> {
  const { status } = volume;
  if (subresource !== "status" || status?.phase === old.status?.phase) return volume;
  const since = status?.lastPhaseTransitionTime;
  if (since !== undefined && since !== old.status?.lastPhaseTransitionTime) return volume;
  return { ...volume, status: { ...status, lastPhaseTransitionTime: now } };
}

function validatePodTemplate(object: Loose<PodTemplate>): readonly FieldError[] {
  const errors: Errors = [];
  checkPodTemplate(errors, "template", object.template);
  return errors;
}

export const coreStrategies: readonly StrategyEntry[] = [
  ["/pods", podStrategy],
  ["/services", serviceStrategy],
  ["/secrets", secretStrategy],
  [
    "/configmaps",
    strategyOf<ConfigMap>({ validate: validateConfigMap, validateUpdate: validateConfigMapUpdate, generation: false }),
  ],
  [
    "/podtemplates",
    strategyOf<PodTemplate>({
      defaults: (object) => mapField(object, "template", defaultPodTemplate),
      gatedFields: templateGatedFields("template"),
      validate: validatePodTemplate,
      returnsDeleted: true,
      generation: true,
    }),
  ],
  [
    "/replicationcontrollers",
    strategyOf<ReplicationController>({
      defaults: defaultReplicationController,
      gatedFields: templateGatedFields("spec.template"),
      prepareForCreate: startsWithStatus({ replicas: 0 }),
      validate: validateReplicationController,
      validateStatusUpdate: validateReplicaSetStatus,
      warnings: namedWorkloadWarnings,
      defaultPropagation: "Orphan",
      scale: { specReplicas: ".spec.replicas", statusReplicas: ".status.replicas", selector: ".spec.selector" },
    }),
  ],
  [
    "/endpoints",
    strategyOf<Endpoints>({
      defaults: defaultEndpoints,
      validate: validateEndpoints,
      warnings: () => ["v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"],
      createOnUpdate: true,
      generation: false,
    }),
  ],
  [
    "/events",
    strategyOf<CoreEvent>({
      validate: validateCoreEvent,
      // The older API never asked for more.
      validateName: validatePathSegmentName,
      createOnUpdate: true,
      ttlSeconds: eventTtlSeconds,
      defaultPropagation: "Unsupported",
      generation: false,
    }),
  ],
  [
    "events.k8s.io/events",
    strategyOf<Event>({
      validate: validateEvent,
      validateCreate: validateNewEvent,
      validateUpdate: validateEventUpdate,
      createOnUpdate: true,
      ttlSeconds: eventTtlSeconds,
      defaultPropagation: "Unsupported",
      generation: false,
    }),
  ],
  [
    "/namespaces",
    strategyOf<Namespace>({
      defaults: defaultNamespace,
      prepareForCreate: (object) => {
        const named = labelWithName(object);
        const finalizers = [...(named.spec?.finalizers ?? [])];
        if (!finalizers.includes("kubernetes")) finalizers.push("kubernetes");
        return { ...named, spec: { ...named.spec, finalizers }, status: { phase: "Active" } };
      },
      prepareForDelete: (object) => ({ ...object, status: { ...(object["status"] as object), phase: "Terminating" } }),
      holdsDeletion: (object) => ((object as Loose<Namespace>).spec?.finalizers?.length ?? 0) > 0,
      // Only the finalize subresource takes finalizers away from the spec.
      prepareForUpdate: (object, old, context) =>
        context.subresource === "finalize" || context.subresource === "status"
          ? object
          : { ...object, spec: { ...object.spec, finalizers: old.spec?.finalizers ?? [] } },
      validate: validateNamespace,
      validateUpdate: validateNamespaceUpdate,
      validateStatusUpdate: validateNamespaceStatus,
      validateName: validateDns1123Label,
      generation: false,
    }),
  ],
  [
    "/nodes",
    strategyOf<Node>({
      defaults: defaultNode,
      gatedFields: [
        gated("DynamicKubeletConfig", ["spec.configSource"]),
        gated("DynamicKubeletConfig", ["status.config"]),
      ],
      validate: validateNode,
      validateCreate: validateNewNode,
      validateStatusUpdate: (node, old) => [...validateNodeUpdate(node, old), ...validateNode(node)],
      validateUpdate: validateNodeUpdate,
      warnings: ({ spec }) =>
        spec?.externalID ? ["spec.externalID: this field is deprecated, and is unused by Kubernetes"] : [],
      generation: false,
      keepsStatusOnCreate: true,
    }),
  ],
  [
    "/persistentvolumes",
    strategyOf<PersistentVolume>({
      defaults: defaultVolumeObject,
      returnsDeleted: true,
      prepareForCreate: (object, context) => ({
        ...object,
        status: { phase: "Pending", lastPhaseTransitionTime: context.now },
      }),
      prepareForUpdate: stampPhase,
      validate: validatePersistentVolume,
      validateUpdate: validatePersistentVolumeUpdate,
      warnings: volumeObjectWarnings,
      generation: false,
    }),
  ],
  [
    "/persistentvolumeclaims",
    strategyOf<PersistentVolumeClaim>({
      defaults: defaultClaim,
      gatedFields: [
        gated("CrossNamespaceVolumeDataSource", ["spec.dataSourceRef.namespace"], {
          drops: "spec.dataSourceRef",
          keptWith: "spec.dataSourceRef",
        }),
      ],
      returnsDeleted: true,
      prepareForCreate: (object) => ({ ...prepareClaim(object), status: { phase: "Pending" } }),
      prepareForUpdate: prepareClaim,
      validate: validateClaim,
      validateUpdate: validateClaimUpdate,
      validateStatusUpdate: validateClaimStatusUpdate,
      warnings: claimWarnings,
      generation: false,
    }),
  ],
  ["/serviceaccounts", serviceAccountStrategy],
  [
    "/resourcequotas",
    strategyOf<ResourceQuota>({
      returnsDeleted: true,
      prepareForCreate: startsWithStatus({}),
      validate: validateResourceQuota,
      validateUpdate: validateResourceQuotaUpdate,
      validateStatusUpdate: validateResourceQuotaStatus,
      generation: false,
    }),
  ],
  [
    "/limitranges",
    strategyOf<LimitRange>({
      defaults: defaultLimitRange,
      validate: validateLimitRange,
      createOnUpdate: true,
      generation: false,
    }),
  ],
];
