export type { CriRuntimeOptions } from "./cri-runtime.js";
export { CriRuntime } from "./cri-runtime.js";
