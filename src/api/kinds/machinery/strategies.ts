import type {
  CertificateSigningRequest,
  FlowSchema,
  Lease,
  PriorityClass,
  PriorityLevelConfiguration,
  RuntimeClass,
} from "../../gen/types.js";
import { withDefaults } from "../defaulting.js";
import { startsWithStatus } from "../status-zero.js";
import { type StrategyEntry, strategyOf } from "../strategy.js";
import { defaultFlowSchema, defaultPriorityLevel } from "./flowcontrol-defaults.js";

export const machineryStrategies: readonly StrategyEntry[] = [
  [
    "coordination.k8s.io/leases",
    strategyOf<Lease>({ createOnUpdate: true, unconditionalUpdate: false, generation: false }),
  ],
  [
    "scheduling.k8s.io/priorityclasses",
    strategyOf<PriorityClass>({
      defaults: (priorityClass) => withDefaults(priorityClass, { preemptionPolicy: "PreemptLowerPriority" }),
      generation: true,
    }),
  ],
  ["node.k8s.io/runtimeclasses", strategyOf<RuntimeClass>({ unconditionalUpdate: false })],
  [
    "certificates.k8s.io/certificatesigningrequests",
    strategyOf<CertificateSigningRequest>({ prepareForCreate: startsWithStatus({}), generation: false }),
  ],
  [
    "flowcontrol.apiserver.k8s.io/flowschemas",
    strategyOf<FlowSchema>({ defaults: defaultFlowSchema, prepareForCreate: startsWithStatus({}) }),
  ],
  [
    "flowcontrol.apiserver.k8s.io/prioritylevelconfigurations",
    strategyOf<PriorityLevelConfiguration>({ defaults: defaultPriorityLevel, prepareForCreate: startsWithStatus({}) }),
  ],
];
