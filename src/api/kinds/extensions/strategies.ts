import type { APIService, CustomResourceDefinition } from "../../gen/types.js";
import { validatePathSegmentName } from "../checks.js";
import { type StrategyEntry, strategyOf } from "../strategy.js";
import { validateApiService, validateApiServiceStatus } from "./api-service-validation.js";
import { defaultApiService, defaultCustomResourceDefinition } from "./defaults.js";
import { definitionWarnings } from "./format-warnings.js";
import {
  holdsDefinition,
  prepareApiService,
  prepareDefinition,
  prepareDefinitionDelete,
  recordStoredVersions,
} from "./prepare.js";
import {
  validateDefinition,
  validateDefinitionStatus,
  validateDefinitionUpdate,
  validateNewDefinition,
} from "./validation.js";

export const extensionsStrategies: readonly StrategyEntry[] = [
  [
    "apiextensions.k8s.io/customresourcedefinitions",
    strategyOf<CustomResourceDefinition>({
      defaults: defaultCustomResourceDefinition,
      prepareForCreate: prepareDefinition,
      prepareForUpdate: recordStoredVersions,
      prepareForDelete: prepareDefinitionDelete,
      holdsDeletion: holdsDefinition,
      validate: validateDefinition,
      validateCreate: validateNewDefinition,
      validateUpdate: validateDefinitionUpdate,
      validateStatusUpdate: validateDefinitionStatus,
      warnings: definitionWarnings,
      unconditionalUpdate: false,
      anyFinalizer: true,
    }),
  ],
  [
    "apiregistration.k8s.io/apiservices",
    strategyOf<APIService>({
      defaults: defaultApiService,
      prepareForCreate: prepareApiService,
      validate: validateApiService,
      validateStatusUpdate: validateApiServiceStatus,
      // That of the core group ends with a dot.
      validateName: validatePathSegmentName,
      unconditionalUpdate: false,
      anyFinalizer: true,
      generation: false,
    }),
  ],
];
