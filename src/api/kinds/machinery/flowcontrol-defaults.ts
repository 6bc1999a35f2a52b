import type { FlowSchema, PriorityLevelConfiguration } from "../../gen/types.js";
import { mapField, withDefaults, withField, withZeroDefaults } from "../defaulting.js";
import type { Loose } from "../loose.js";

export function defaultFlowSchema(schema: Loose<FlowSchema>): Loose<FlowSchema> {
  return mapField(schema, "spec", (spec) => withZeroDefaults(spec, { matchingPrecedence: 1000 }));
}

export function defaultPriorityLevel(level: Loose<PriorityLevelConfiguration>): Loose<PriorityLevelConfiguration> {
  return mapField(level, "spec", (spec) => {
    const result = mapField(spec, "exempt", (exempt) =>
      withDefaults(exempt, { nominalConcurrencyShares: 0, lendablePercent: 0 }),
    );
    return mapField(result, "limited", (given) => {
      const limited = withDefaults(given, { nominalConcurrencyShares: 30, lendablePercent: 0 });
      return mapField(limited, "limitResponse", (response) => {
        if (response.queuing === undefined) return response;
        const queuing = withZeroDefaults(response.queuing, { queues: 64, handSize: 8, queueLengthLimit: 50 });
        return withField(response, "queuing", queuing);
      });
    });
  });
}
