import type { ResourceStrategy } from "../../description.js";
import type { ServiceAccount } from "../../gen/types.js";
import { mapField, mapItems } from "../defaulting.js";
import { type Loose, ownValue } from "../loose.js";
import { strategyOf } from "../strategy.js";

const mountable = "kubernetes.io/enforce-mountable-secrets";

export const serviceAccountStrategy: ResourceStrategy = strategyOf<ServiceAccount>({
  prepareForCreate: withNamesOnly,
  prepareForUpdate: withNamesOnly,
  warnings: mountableWarnings,
  unconditionalUpdate: false,
  returnsDeleted: true,
  generation: false,
});

/** Secrets are of the account's namespace, so a reference is a name and nothing else. */
function withNamesOnly(account: Loose<ServiceAccount>): Loose<ServiceAccount> {
  return mapField(account, "secrets", (secrets) =>
    mapItems(secrets, (secret) => (secret.name === undefined ? {} : { name: secret.name })),
  );
}

function mountableWarnings(account: Loose<ServiceAccount>, old: Loose<ServiceAccount> | undefined): readonly string[] {
  const value = ownValue(account.metadata?.annotations, mountable);
  if (value === undefined || value === ownValue(old?.metadata?.annotations, mountable)) return [];
  const why = "deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets";
  return [`metadata.annotations[${mountable}]: ${why}`];
}
