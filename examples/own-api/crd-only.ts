import { type ControlPlane, startControlPlane } from "coxswain";
import { builtinDescriptions } from "coxswain/api";

/** Custom resources, the namespaces that they are in, and nothing else. */
const kinds = new Set(["customresourcedefinitions", "namespaces"]);

export const start = (): Promise<ControlPlane> =>
  startControlPlane({
    controllers: [],
    resources: builtinDescriptions().filter(({ resource }) => kinds.has(resource)),
  });
