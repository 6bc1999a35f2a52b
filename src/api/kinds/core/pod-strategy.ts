import type { ResourceStrategy } from "../../description.js";
import type { Pod } from "../../gen/types.js";
import { strategyOf } from "../strategy.js";
import { defaultPod } from "./pod-defaults.js";
import { podGracePeriodSeconds, preparePod, preparePodUpdate } from "./pod-prepare.js";

export const podStrategy: ResourceStrategy = strategyOf<Pod>({
  returnsDeleted: true,
  defaults: defaultPod,
  prepareForCreate: preparePod,
  prepareForUpdate: preparePodUpdate,
  gracePeriodSeconds: podGracePeriodSeconds,
});
