import type { PolicyRule } from "../../api/index.js";
import type { Authorizer } from "./authorizer.js";

const everything: readonly PolicyRule[] = [
  { apiGroups: ["*"], resources: ["*"], verbs: ["*"] },
  { nonResourceURLs: ["*"], verbs: ["*"] },
];

/** Everybody may do everything. */
export const alwaysAllow: Authorizer = {
  name: "AlwaysAllow",
  authorize: () => ({ decision: "allow" }),
  rulesFor: () => ({ rules: everything, errors: [] }),
};

/** Nobody may do anything that nobody else allows, as upstream's AlwaysDeny. */
export const alwaysDeny: Authorizer = {
  name: "AlwaysDeny",
  authorize: () => ({ decision: "noOpinion", reason: "Everything is forbidden." }),
  rulesFor: () => ({ rules: [], errors: [] }),
};
