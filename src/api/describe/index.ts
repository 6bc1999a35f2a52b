export { builtinDescriptions } from "./builtin.js";
export { autoscalerV1Of, autoscalerV2Of } from "./convert-autoscaling.js";
export { coreEventOf, eventOf } from "./convert-events.js";
