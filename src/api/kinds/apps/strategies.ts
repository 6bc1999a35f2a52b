import type { DaemonSet, Deployment, ReplicaSet, StatefulSet } from "../../gen/types.js";
import { startsWithStatus } from "../status-zero.js";
import { type StrategyEntry, strategyOf } from "../strategy.js";
import { defaultDaemonSet, defaultDeployment, defaultReplicaSet, defaultStatefulSet } from "./defaults.js";

const scale = { specReplicas: ".spec.replicas", statusReplicas: ".status.replicas", selector: ".spec.selector" };

export const appsStrategies: readonly StrategyEntry[] = [
  [
    "apps/deployments",
    strategyOf<Deployment>({ defaults: defaultDeployment, prepareForCreate: startsWithStatus({}), scale }),
  ],
  [
    "apps/replicasets",
    strategyOf<ReplicaSet>({ defaults: defaultReplicaSet, prepareForCreate: startsWithStatus({ replicas: 0 }), scale }),
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
    }),
  ],
  [
    "apps/statefulsets",
    strategyOf<StatefulSet>({
      defaults: defaultStatefulSet,
      prepareForCreate: startsWithStatus({ replicas: 0, availableReplicas: 0 }),
      scale,
    }),
  ],
];
