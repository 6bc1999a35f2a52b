import type { APIService, CustomResourceDefinition } from "../../gen/types.js";
import { type StrategyEntry, strategyOf } from "../strategy.js";
import { defaultApiService, defaultCustomResourceDefinition } from "./defaults.js";
import { prepareApiService, prepareDefinition, recordStoredVersions } from "./prepare.js";
import { validateApiService, validateDefinition, validateDefinitionUpdate } from "./validation.js";

export const extensionsStrategies: readonly StrategyEntry[] = [
  [
    "apiextensions.k8s.io/customresourcedefinitions",
    strategyOf<CustomResourceDefinition>({
      defaults: defaultCustomResourceDefinition,
      prepareForCreate: prepareDefinition,
      prepareForUpdate: recordStoredVersions,
      validate: validateDefinition,
      validateUpdate: validateDefinitionUpdate,
      validateStatusUpdate: validateDefinition,
      unconditionalUpdate: false,
    }),
  ],
  [
    "apiregistration.k8s.io/apiservices",
    strategyOf<APIService>({
      defaults: defaultApiService,
      prepareForCreate: prepareApiService,
      validate: validateApiService,
      unconditionalUpdate: false,
      generation: false,
    }),
  ],
];
