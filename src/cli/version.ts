import { createRequire } from "node:module";

const require = createRequire(import.meta.url);

/** The package's own. The bundled file is one folder below dist/, the source one below src/. */
export const version: string = (require("../../package.json") as { readonly version: string }).version;
