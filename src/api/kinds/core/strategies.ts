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
  ServiceAccount,
} from "../../gen/types.js";
import { validateDns1123Label } from "../../names.js";
import { defaultReplicationController } from "../apps/defaults.js";
import { mapField } from "../defaulting.js";
import type { Loose } from "../loose.js";
import { startsWithStatus } from "../status-zero.js";
import { type StrategyEntry, strategyOf } from "../strategy.js";
import { defaultClaim, defaultVolumeObject } from "./claim-defaults.js";
import { defaultLimitRange, defaultNamespace, defaultNode, labelWithName } from "./cluster-defaults.js";
import { defaultPodTemplate } from "./pod-defaults.js";
import { podStrategy } from "./pod-strategy.js";
import { secretStrategy } from "./secret.js";
import { defaultEndpoints } from "./service-defaults.js";
import { serviceStrategy } from "./service-strategy.js";

const eventTtlSeconds = 3600;

export const coreStrategies: readonly StrategyEntry[] = [
  ["/pods", podStrategy],
  ["/services", serviceStrategy],
  ["/secrets", secretStrategy],
  ["/configmaps", strategyOf<ConfigMap>({ generation: false })],
  [
    "/podtemplates",
    strategyOf<PodTemplate>({
      defaults: (object) => mapField(object, "template", defaultPodTemplate),
      returnsDeleted: true,
      generation: true,
    }),
  ],
  [
    "/replicationcontrollers",
    strategyOf<ReplicationController>({
      defaults: defaultReplicationController,
      prepareForCreate: startsWithStatus({ replicas: 0 }),
      defaultPropagation: "Orphan",
      scale: { specReplicas: ".spec.replicas", statusReplicas: ".status.replicas", selector: ".spec.selector" },
    }),
  ],
  ["/endpoints", strategyOf<Endpoints>({ defaults: defaultEndpoints, createOnUpdate: true, generation: false })],
  ["/events", strategyOf<CoreEvent>({ createOnUpdate: true, ttlSeconds: eventTtlSeconds, generation: false })],
  ["events.k8s.io/events", strategyOf<Event>({ createOnUpdate: true, ttlSeconds: eventTtlSeconds, generation: false })],
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
      validateName: validateDns1123Label,
      generation: false,
    }),
  ],
  ["/nodes", strategyOf<Node>({ defaults: defaultNode, generation: false, keepsStatusOnCreate: true })],
  [
    "/persistentvolumes",
    strategyOf<PersistentVolume>({
      defaults: defaultVolumeObject,
      returnsDeleted: true,
      prepareForCreate: (object, context) => ({
        ...object,
        status: { phase: "Pending", lastPhaseTransitionTime: context.now },
      }),
      generation: false,
    }),
  ],
  [
    "/persistentvolumeclaims",
    strategyOf<PersistentVolumeClaim>({
      defaults: defaultClaim,
      returnsDeleted: true,
      prepareForCreate: (object) => ({ ...object, status: { phase: "Pending" } }),
      generation: false,
    }),
  ],
  [
    "/serviceaccounts",
    strategyOf<ServiceAccount>({ unconditionalUpdate: false, returnsDeleted: true, generation: false }),
  ],
  [
    "/resourcequotas",
    strategyOf<ResourceQuota>({ returnsDeleted: true, prepareForCreate: startsWithStatus({}), generation: false }),
  ],
  ["/limitranges", strategyOf<LimitRange>({ defaults: defaultLimitRange, createOnUpdate: true, generation: false })],
];
