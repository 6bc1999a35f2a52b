import type { StrategyContext } from "../../description.js";
import type {
  CertificateSigningRequest,
  FlowSchema,
  Lease,
  PriorityClass,
  PriorityLevelConfiguration,
  RuntimeClass,
} from "../../gen/types.js";
import { validatePathSegmentName } from "../checks.js";
import { deprecatedNodeLabels } from "../core/scheduling-warnings.js";
import { withDefaults } from "../defaulting.js";
import { gated } from "../gated-fields.js";
import { startsWithStatus } from "../status-zero.js";
import { type StrategyEntry, strategyOf } from "../strategy.js";
import {
  prepareRequestUpdate,
  validateCertificateRequest,
  validateRequestStatus,
  validateRequestUpdate,
} from "./certificate-request.js";
import { defaultFlowSchema, defaultPriorityLevel } from "./flowcontrol-defaults.js";
import { validateFlowControlStatus, validateFlowSchema, validatePriorityLevel } from "./flowcontrol-validation.js";
import {
  validateLease,
  validatePriorityClass,
  validatePriorityClassUpdate,
  validateRuntimeClass,
  validateRuntimeClassUpdate,
} from "./validation.js";

export const machineryStrategies: readonly StrategyEntry[] = [
  [
    "coordination.k8s.io/leases",
    strategyOf<Lease>({
      gatedFields: [gated("CoordinatedLeaderElection", ["spec.strategy", "spec.preferredHolder"])],
      validate: validateLease,
      createOnUpdate: true,
      unconditionalUpdate: false,
      generation: false,
    }),
  ],
  [
    "scheduling.k8s.io/priorityclasses",
    strategyOf<PriorityClass>({
      validate: validatePriorityClass,
      validateUpdate: validatePriorityClassUpdate,
      defaults: (priorityClass) => withDefaults(priorityClass, { preemptionPolicy: "PreemptLowerPriority" }),
      generation: true,
    }),
  ],
  [
    "node.k8s.io/runtimeclasses",
    strategyOf<RuntimeClass>({
      validate: validateRuntimeClass,
      validateUpdate: validateRuntimeClassUpdate,
      warnings: ({ scheduling }) =>
        Object.keys(scheduling?.nodeSelector ?? {}).flatMap((key) => {
          const deprecated = deprecatedNodeLabels.get(key);
          return deprecated === undefined ? [] : [`scheduling.nodeSelector: ${deprecated}`];
        }),
      unconditionalUpdate: false,
    }),
  ],
  [
    "certificates.k8s.io/certificatesigningrequests",
    strategyOf<CertificateSigningRequest>({
      validate: validateCertificateRequest,
      validateUpdate: validateRequestUpdate,
      validateStatusUpdate: validateRequestStatus,
      prepareForUpdate: prepareRequestUpdate,
      validateName: validatePathSegmentName,
      prepareForCreate: (object, { user }) => {
        // Who asks is not for the asker to say.
        const { username: _n, uid: _u, groups: _g, extra: _e, ...spec } = object.spec ?? {};
        return { ...object, spec: { ...spec, ...askerOf(user) }, status: {} } as typeof object;
      },
      generation: false,
    }),
  ],
  [
    "flowcontrol.apiserver.k8s.io/flowschemas",
    strategyOf<FlowSchema>({
      validate: validateFlowSchema,
      validateStatusUpdate: validateFlowControlStatus,
      defaults: defaultFlowSchema,
      prepareForCreate: startsWithStatus({}),
    }),
  ],
  [
    "flowcontrol.apiserver.k8s.io/prioritylevelconfigurations",
    strategyOf<PriorityLevelConfiguration>({
      validate: validatePriorityLevel,
      validateStatusUpdate: validateFlowControlStatus,
      defaults: defaultPriorityLevel,
      prepareForCreate: startsWithStatus({}),
    }),
  ],
];

function askerOf(user: StrategyContext["user"]): object {
  if (user === undefined) return {};
  const { username, uid, groups, extra } = user;
  return { username, groups, ...(uid === undefined ? {} : { uid }), ...(extra === undefined ? {} : { extra }) };
}
