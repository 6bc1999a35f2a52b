import { resourceFacts } from "../gen/resources.js";
import { apiVersionOf } from "../resource-type.js";

/** Where the definitions of an apiVersion are: `rbac.authorization.k8s.io/v1` -> `rbac.v1`. */
export function packagesByVersion(): ReadonlyMap<string, string> {
  const packages = new Map([
    ["meta.k8s.io/v1", "meta.v1"],
    ["meta.k8s.io/v1beta1", "meta.v1"],
  ]);
  for (const facts of resourceFacts) {
    packages.set(apiVersionOf(facts), facts.definition.slice(0, facts.definition.lastIndexOf(".")));
  }
  return packages;
}
