import type { ResourceStrategy } from "../description.js";
import { admissionStrategies } from "./admissionregistration/strategies.js";
import { appsStrategies } from "./apps/strategies.js";
import { autoscalingStrategies } from "./autoscaling/strategies.js";
import { batchStrategies } from "./batch/strategies.js";
import { coreStrategies } from "./core/strategies.js";
import { extensionsStrategies } from "./extensions/strategies.js";
import { machineryStrategies } from "./machinery/strategies.js";
import { networkingStrategies } from "./networking/strategies.js";
import { policyStrategies } from "./policy/strategies.js";
import { rbacStrategies } from "./rbac/strategies.js";
import { resourceStrategies } from "./resource/strategies.js";
import { storageStrategies } from "./storage/strategies.js";

/** What is particular to each built-in kind, by `group/resource`: `/pods`, `apps/deployments`. Kinds without particulars are missing. */
export const builtinStrategies: ReadonlyMap<string, ResourceStrategy> = new Map([
  ...coreStrategies,
  ...appsStrategies,
  ...batchStrategies,
  ...autoscalingStrategies,
  ...policyStrategies,
  ...networkingStrategies,
  ...rbacStrategies,
  ...storageStrategies,
  ...admissionStrategies,
  ...extensionsStrategies,
  ...machineryStrategies,
  ...resourceStrategies,
]);

export type { ObjectMetaRules } from "./object-meta.js";
export { validateObjectMeta, validateObjectMetaUpdate } from "./object-meta.js";
