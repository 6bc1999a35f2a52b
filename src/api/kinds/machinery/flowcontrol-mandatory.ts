import type { FlowSchemaSpec, PriorityLevelConfigurationSpec } from "../../gen/types.js";

const all = ["*"];
const everything = {
  resourceRules: [{ verbs: all, apiGroups: all, resources: all, namespaces: all, clusterScope: true }],
  nonResourceRules: [{ verbs: all, nonResourceURLs: all }],
};

/** What every cluster has: requests that are never held back, and what becomes of those that nothing else matches. */
export const mandatoryFlowSchemas: ReadonlyMap<string, FlowSchemaSpec> = new Map([
  [
    "exempt",
    {
      priorityLevelConfiguration: { name: "exempt" },
      matchingPrecedence: 1,
      rules: [{ subjects: [groupSubject("system:masters")], ...everything }],
    },
  ],
  [
    "catch-all",
    {
      priorityLevelConfiguration: { name: "catch-all" },
      matchingPrecedence: 10_000,
      distinguisherMethod: { type: "ByUser" },
      rules: [
        { subjects: [groupSubject("system:unauthenticated"), groupSubject("system:authenticated")], ...everything },
      ],
    },
  ],
]);

function groupSubject(name: string): { readonly kind: string; readonly group: { readonly name: string } } {
  return { kind: "Group", group: { name } };
}

export const mandatoryLevels: ReadonlyMap<string, PriorityLevelConfigurationSpec> = new Map([
  ["exempt", { type: "Exempt", exempt: { nominalConcurrencyShares: 0, lendablePercent: 0 } }],
  [
    "catch-all",
    {
      type: "Limited",
      limited: { nominalConcurrencyShares: 5, lendablePercent: 0, limitResponse: { type: "Reject" } },
    },
  ],
]);
