import { expect, it } from "vitest";
import { builtinDescriptions } from "../../api/describe/index.js";
import { builtinStrategies } from "../../api/kinds/index.js";
import { resourceOfKeys } from "./resource-of-key.js";

const resourceOf = resourceOfKeys(builtinDescriptions(builtinStrategies));

it.each([
  ["/registry/secrets/default/a", "", "secrets"],
  ["/registry/minions/a", "", "nodes"],
  ["/registry/services/specs/default/a", "", "services"],
  ["/registry/services/endpoints/default/a", "", "endpoints"],
  ["/registry/deployments/default/a", "apps", "deployments"],
  ["/registry/events/default/a", "", "events"],
  ["/registry/apiextensions.k8s.io/customresourcedefinitions/a.b", "apiextensions.k8s.io", "customresourcedefinitions"],
  ["/registry/example.com/widgets/default/a", "example.com", "widgets"],
  ["/registry/ranges/servicenodeports", "", "servicenodeportallocations"],
])("%s", (key, group, resource) => {
  expect(resourceOf(key)).toEqual({ group, resource });
});

it.each(["compact_rev_key", "/registry/masterleases/192.0.2.1", "/other/secrets/default/a"])("%s is of none", (key) => {
  expect(resourceOf(key)).toBeUndefined();
});
