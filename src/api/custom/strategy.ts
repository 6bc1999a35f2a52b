import type { ResourceStrategy, ScalePaths } from "../description.js";
import { type FieldError, invalid } from "../field-error.js";
import type { JsonObject } from "../object.js";
import { type CustomSchema, valueAtPath } from "./custom-schema.js";
import type { DefinitionVersion } from "./describe.js";

/** How objects of a custom resource are written. */
export function customStrategy(schema: CustomSchema, version: DefinitionVersion): ResourceStrategy {
  const scale = scaleOf(version);
  function* judge(object: JsonObject, old: JsonObject | undefined): Generator<undefined, readonly FieldError[]> {
    const errors = yield* schema.validateInSlices(object, old);
    return scale === undefined ? errors : [...errors, ...scaleErrors(scale, object, old)];
  }
  return {
    ...(schema.hasDefaults ? { defaults: (object: JsonObject) => schema.withDefaults(object) } : {}),
    validateInSlices: judge,
    ...(scale === undefined ? {} : { scale }),
    generation: true,
    anyFinalizer: true,
    unconditionalUpdate: false,
  };
}

function scaleOf({ subresources }: DefinitionVersion): ScalePaths | undefined {
  const scale = subresources?.scale;
  if (scale === undefined) return undefined;
  const { specReplicasPath = "", statusReplicasPath = "", labelSelectorPath } = scale;
  return {
    specReplicas: specReplicasPath,
    statusReplicas: statusReplicasPath,
    ...(labelSelectorPath ? { selector: labelSelectorPath } : {}),
  };
}

/** Numbers that the scale subresource shows must be some that it can show. */
function scaleErrors(paths: ScalePaths, object: JsonObject, old: JsonObject | undefined): readonly FieldError[] {
  const errors: FieldError[] = [];
  for (const path of [paths.specReplicas, paths.statusReplicas]) {
    const replicas = valueAtPath(object, path);
    if (typeof replicas !== "number" || (old !== undefined && valueAtPath(old, path) === replicas)) continue;
    if (replicas < 0) errors.push(invalid(path, replicas, "should be a non-negative integer"));
    else if (replicas > 2 ** 31 - 1) errors.push(invalid(path, replicas, "should be less than or equal to 2147483647"));
  }
  return errors;
}
