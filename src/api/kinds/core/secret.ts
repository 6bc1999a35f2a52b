import type { ResourceStrategy } from "../../description.js";
import type { Secret } from "../../gen/types.js";
import { without, withZeroDefaults } from "../defaulting.js";
import { entriesOf, type Loose } from "../loose.js";
import { strategyOf } from "../strategy.js";
import { validateSecret, validateSecretUpdate } from "./config-validation.js";

/** The type Opaque; what is given as text in stringData is stored as data, and is never read back. */
function defaultSecret(secret: Loose<Secret>): Loose<Secret> {
  const result = withZeroDefaults(secret, { type: "Opaque" });
  if (result.stringData === undefined) return result;
  const folded = entriesOf(result.stringData).map(
    ([key, text]) => [key, Buffer.from(text, "utf8").toString("base64")] as const,
  );
  if (folded.length === 0) return without(result, "stringData");
  const data = Object.fromEntries([...entriesOf(result.data), ...folded]);
  return { ...without(result, "stringData"), data };
}

export const secretStrategy: ResourceStrategy = strategyOf<Secret>({
  defaults: defaultSecret,
  validate: validateSecret,
  validateUpdate: validateSecretUpdate,
  generation: false,
});
