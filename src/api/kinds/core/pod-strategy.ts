import type { ResourceStrategy } from "../../description.js";
import type { Pod } from "../../gen/types.js";
import { podNameWarnings } from "../apps/workload-warnings.js";
import { strategyOf } from "../strategy.js";
import { defaultPod } from "./pod-defaults.js";
import { podGatedFields } from "./pod-gated-fields.js";
import { podGracePeriodSeconds, preparePod, preparePodUpdate } from "./pod-prepare.js";
import { validatePodStatusUpdate } from "./pod-status.js";
import { validatePodUpdate } from "./pod-update.js";
import { validateNewPod, validatePod } from "./pod-validation.js";
import { podStatusWarnings, podWarnings } from "./pod-warnings.js";

export const podStrategy: ResourceStrategy = strategyOf<Pod>({
  defaults: defaultPod,
  gatedFields: podGatedFields,
  prepareForCreate: preparePod,
  prepareForUpdate: preparePodUpdate,
  validate: validatePod,
  validateCreate: validateNewPod,
  validateUpdate: validatePodUpdate,
  validateStatusUpdate: validatePodStatusUpdate,
  warnings: (pod, old) =>
    old === undefined ? [...podNameWarnings(pod.metadata?.name, "in the Pod's hostname"), ...podWarnings(pod)] : [],
  statusWarnings: podStatusWarnings,
  gracePeriodSeconds: podGracePeriodSeconds,
  returnsDeleted: true,
});
