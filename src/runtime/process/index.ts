export type { ProcessImage } from "./catalogue.js";
export type { Isolation } from "./isolation.js";
export type { ProcessRuntimeOptions } from "./process-runtime.js";
export { ProcessRuntime } from "./process-runtime.js";
