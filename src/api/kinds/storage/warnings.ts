import type { CSIStorageCapacity, StorageClass } from "../../gen/types.js";
import { deprecatedNodeLabels, warnTerm } from "../core/scheduling-warnings.js";
import type { Loose } from "../loose.js";

export function storageClassWarnings({ allowedTopologies = [] }: Loose<StorageClass>): readonly string[] {
  return allowedTopologies.flatMap(({ matchLabelExpressions = [] }, index) =>
    matchLabelExpressions.flatMap(({ key = "" }, position) => {
      const deprecated = deprecatedNodeLabels.get(key);
      const path = `allowedTopologies[${index}].matchLabelExpressions[${position}].key`;
      return deprecated === undefined ? [] : [`${path}: ${deprecated}`];
    }),
  );
}

export function storageCapacityWarnings({ nodeTopology = {} }: Loose<CSIStorageCapacity>): readonly string[] {
  const warnings: string[] = [];
  warnTerm(warnings, "nodeTopology", nodeTopology, false);
  for (const key of Object.keys(nodeTopology.matchLabels ?? {})) {
    const deprecated = deprecatedNodeLabels.get(key);
    if (deprecated !== undefined) warnings.push(`nodeTopology.matchLabels.${key}: ${deprecated}`);
  }
  return warnings;
}
