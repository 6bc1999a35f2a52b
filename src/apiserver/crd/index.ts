export type { ConvertObjects } from "./conversion.js";
export { type ConvertFunction, CustomResources, type CustomResourcesOptions, crds } from "./custom-resources.js";
export { type ConversionWebhookOptions, conversionWebhook } from "./webhook.js";
