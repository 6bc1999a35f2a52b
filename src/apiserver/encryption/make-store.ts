import { builtinDescriptions } from "../../api/describe/index.js";
import { builtinStrategies } from "../../api/kinds/index.js";
import type { Store } from "../../store/index.js";
import type { EncryptionRule } from "./configuration.js";
import { EncryptedStore } from "./encrypted-store.js";
import { resourceOfKeys } from "./resource-of-key.js";
import { transformersOf } from "./transformers.js";

/**
 * The same store, in which values are encrypted as the rules say: for `startCluster` and every other taker of a store. `root` is what
 * the server's keys begin with. Disposing it disposes `store`.
 */
export async function encryptedStore(
  store: Store,
  rules: readonly EncryptionRule[],
  root: string = "/registry",
): Promise<EncryptedStore> {
  const descriptions = builtinDescriptions(builtinStrategies);
  return new EncryptedStore(store, resourceOfKeys(descriptions, root), await transformersOf(rules));
}
