import type { ResourceStrategy } from "../../description.js";
import type { Service } from "../../gen/types.js";
import { validateDns1123Label } from "../../names.js";
import { strategyOf } from "../strategy.js";
import { defaultService } from "./service-defaults.js";
import { prepareService, prepareServiceUpdate } from "./service-prepare.js";
import { validateService, validateServiceStatus, validateServiceUpdate } from "./service-validation.js";
import { serviceStatusWarnings, serviceWarnings } from "./service-warnings.js";

export const serviceStrategy: ResourceStrategy = strategyOf<Service>({
  returnsDeleted: true,
  defaults: defaultService,
  prepareForCreate: prepareService,
  prepareForUpdate: prepareServiceUpdate,
  validate: validateService,
  validateUpdate: validateServiceUpdate,
  validateStatusUpdate: validateServiceStatus,
  warnings: serviceWarnings,
  statusWarnings: serviceStatusWarnings,
  // RFC 1035 no longer: a name may begin with a digit.
  validateName: validateDns1123Label,
  createOnUpdate: true,
  generation: false,
});
