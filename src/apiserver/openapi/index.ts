export { DefinitionIndex } from "./definition-index.js";
export { documentV2, documentV3 } from "./document.js";
export { type OpenApiOptions, OpenApiRoute } from "./route.js";
export type { Docs } from "./types.js";
