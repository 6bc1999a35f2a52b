import type { Shape } from "../../api/configuration-shape.js";
import { duplicate, type FieldError, forbidden, invalid, notSupported, required } from "../../api/field-error.js";
import type { TopologySpreadConstraint } from "../../api/index.js";
import type { SchedulingPolicy } from "../framework/policy.js";
import { type DefaultPreemptionArgs, defaultPreemption } from "../policies/default-preemption.js";
import { dynamicResources } from "../policies/dynamic-resources.js";
import { type InterPodAffinityArgs, interPodAffinity } from "../policies/inter-pod-affinity.js";
import { nodeAffinity } from "../policies/node-affinity.js";
import {
  type NodeResourcesBalancedAllocationArgs,
  type NodeResourcesFitArgs,
  nodeResourcesBalancedAllocation,
  nodeResourcesFit,
} from "../policies/node-resources.js";
import { podTopologySpread } from "../policies/pod-topology-spread.js";
import type { ResourceSpec } from "../policies/resource-scores.js";
import type { PodTopologySpreadArgs } from "../policies/spread-constraints.js";
import { type VolumeBindingArgs, volumeBinding } from "../policies/volume-binding.js";

/** How a policy is made from its arguments in a configuration, which have the shape. */
export interface ArgumentReader {
  readonly shape: Shape;
  /** What is wrong with arguments of that shape. */
  readonly errors: (args: object, path: string) => readonly FieldError[];
  readonly make: (args: object) => SchedulingPolicy;
}

const resources: Shape = { list: { fields: { name: "string", weight: "integer" } } };
const shape: Shape = { list: { fields: { utilization: "integer", score: "integer" } } };

/** Arguments of upstream's policies, with upstream's validation. */
export const argumentReaders: ReadonlyMap<string, ArgumentReader> = new Map<string, ArgumentReader>([
  ["NodeAffinity", { shape: { fields: { addedAffinity: "any" } }, errors: () => [], make: nodeAffinity }],
  [
    "NodeResourcesFit",
    {
      shape: {
        fields: {
          ignoredResources: { list: "string" },
          ignoredResourceGroups: { list: "string" },
          scoringStrategy: { fields: { type: "string", resources, requestedToCapacityRatio: { fields: { shape } } } },
        },
      },
      errors: fitErrors,
      make: nodeResourcesFit,
    },
  ],
  [
    "NodeResourcesBalancedAllocation",
    { shape: { fields: { resources } }, errors: balancedErrors, make: nodeResourcesBalancedAllocation },
  ],
  [
    "PodTopologySpread",
    {
      shape: { fields: { defaultConstraints: { list: "any" }, defaultingType: "string" } },
      errors: spreadErrors,
      make: podTopologySpread,
    },
  ],
  [
    "InterPodAffinity",
    {
      shape: { fields: { hardPodAffinityWeight: "integer", ignorePreferredTermsOfExistingPods: "boolean" } },
      errors: ({ hardPodAffinityWeight: weight = 1 }: InterPodAffinityArgs, path) =>
        weight < 0 || weight > 100
          ? [invalid(`${path}.hardPodAffinityWeight`, weight, "not in valid range [0, 100]")]
          : [],
      make: interPodAffinity,
    },
  ],
  [
    "VolumeBinding",
    {
      shape: { fields: { bindTimeoutSeconds: "integer" } },
      errors: ({ bindTimeoutSeconds: seconds = 600 }: VolumeBindingArgs, path) =>
        seconds < 0
          ? [
              invalid(
                `${path}.bindTimeoutSeconds`,
                seconds,
                "invalid BindTimeoutSeconds, should not be a negative value",
              ),
            ]
          : [],
      make: volumeBinding,
    },
  ],
  [
    "DefaultPreemption",
    {
      shape: { fields: { minCandidateNodesPercentage: "integer", minCandidateNodesAbsolute: "integer" } },
      errors: preemptionErrors,
      make: defaultPreemption,
    },
  ],
  [
    "DynamicResources",
    {
      shape: { fields: { filterTimeout: "duration", bindingTimeout: "duration" } },
      errors: () => [],
      make: dynamicResources,
    },
  ],
]);

function preemptionErrors(args: DefaultPreemptionArgs, path: string): readonly FieldError[] {
  const { minCandidateNodesPercentage: share = 10, minCandidateNodesAbsolute: count = 100 } = args;
  const [atShare, atCount] = [`${path}.minCandidateNodesPercentage`, `${path}.minCandidateNodesAbsolute`];
  return [
    ...(share < 0 || share > 100 ? [invalid(atShare, share, "not in valid range [0, 100]")] : []),
    ...(count < 0 ? [invalid(atCount, count, "not in valid range [0, inf)")] : []),
    ...(share === 0 && count === 0
      ? [
          invalid(atShare, share, "cannot be zero at the same time as minCandidateNodesAbsolute"),
          invalid(atCount, count, "cannot be zero at the same time as minCandidateNodesPercentage"),
        ]
      : []),
  ];
}

function spreadErrors(
  { defaultConstraints = [], defaultingType = "System" }: PodTopologySpreadArgs,
  path: string,
): readonly FieldError[] {
  const at = `${path}.defaultingType`;
  const errors: FieldError[] = [];
  if (!["System", "List"].includes(defaultingType)) errors.push(notSupported(at, defaultingType, ["List", "System"]));
  else if (defaultingType === "System" && defaultConstraints.length > 0) {
    errors.push(invalid(at, defaultingType, "when .defaultConstraints are not empty"));
  }
  defaultConstraints.forEach((constraint, index) => {
    errors.push(...constraintErrors(constraint, `${path}.defaultConstraints[${index}]`));
    const { topologyKey, whenUnsatisfiable } = constraint;
    const again = defaultConstraints
      .slice(0, index)
      .some((other) => other.topologyKey === topologyKey && other.whenUnsatisfiable === whenUnsatisfiable);
    if (again) errors.push(duplicate(`${path}.defaultConstraints[${index}]`, `{${topologyKey}, ${whenUnsatisfiable}}`));
  });
  return errors;
}

function constraintErrors(constraint: Partial<TopologySpreadConstraint>, path: string): FieldError[] {
  const { maxSkew = 0, topologyKey = "", whenUnsatisfiable = "", labelSelector } = constraint;
  const ways = ["DoNotSchedule", "ScheduleAnyway"];
  return [
    ...(maxSkew <= 0 ? [invalid(`${path}.maxSkew`, maxSkew, "not in valid range (0, inf)")] : []),
    ...(topologyKey === "" ? [required(`${path}.topologyKey`, "can not be empty")] : []),
    ...(whenUnsatisfiable === ""
      ? [required(`${path}.whenUnsatisfiable`, "can not be empty")]
      : ways.includes(whenUnsatisfiable)
        ? []
        : [notSupported(`${path}.whenUnsatisfiable`, whenUnsatisfiable, ways)]),
    ...(labelSelector === undefined
      ? []
      : [forbidden(`${path}.labelSelector`, "constraint must not define a selector, as they deduced for each pod")]),
  ];
}

function balancedErrors({ resources: own = [] }: NodeResourcesBalancedAllocationArgs, path: string): FieldError[] {
  return own.flatMap(({ name, weight = 1 }, index) => [
    ...(own.findIndex((other) => other.name === name) < index
      ? [duplicate(`${path}.resources[${index}].name`, name)]
      : []),
    ...(weight === 1 || weight === 0 ? [] : [invalid(`${path}.resources[${index}].weight`, weight, "must be 1")]),
  ]);
}

const strategies = ["LeastAllocated", "MostAllocated", "RequestedToCapacityRatio"];

function fitErrors({ ignoredResourceGroups = [], scoringStrategy }: NodeResourcesFitArgs, path: string): FieldError[] {
  const errors = ignoredResourceGroups.flatMap((group, index) =>
    group.includes("/")
      ? [invalid(`${path}.ignoredResourceGroups[${index}]`, group, "resource group name can't contain '/'")]
      : [],
  );
  if (scoringStrategy === undefined) return errors;
  const at = `${path}.scoringStrategy`;
  const { type = "", resources: own = [], requestedToCapacityRatio: ratio } = scoringStrategy;
  if (!strategies.includes(type)) errors.push(notSupported(`${at}.type`, type, strategies));
  own.forEach((resource, index) => {
    errors.push(...weightErrors(resource, `${at}.resources[${index}].weight`));
  });
  if (type !== "RequestedToCapacityRatio") {
    if (ratio !== undefined) {
      errors.push(forbidden(`${at}.requestedToCapacityRatio`, "must be nil when type is not RequestedToCapacityRatio"));
    }
  } else if (ratio === undefined) {
    errors.push(required(`${at}.requestedToCapacityRatio`, "must be specified when type is RequestedToCapacityRatio"));
  } else errors.push(...curveErrors(ratio.shape ?? [], `${at}.requestedToCapacityRatio.shape`));
  return errors;
}

/** An absent weight is 1. */
function weightErrors({ name, weight = 1 }: ResourceSpec, path: string): FieldError[] {
  const good = weight >= 0 && weight <= 100;
  return good ? [] : [invalid(path, weight, `resource weight of ${name} not in valid range (0, 100]`)];
}

function curveErrors(
  points: readonly { readonly utilization?: number; readonly score?: number }[],
  path: string,
): FieldError[] {
  if (points.length === 0) return [required(path, "at least one point must be specified")];
  const unsorted = points.findIndex(
    ({ utilization = 0 }, index) => index > 0 && (points[index - 1]?.utilization ?? 0) >= utilization,
  );
  return [
    ...(unsorted > 0
      ? [
          invalid(
            `${path}[${unsorted}].utilization`,
            points[unsorted]?.utilization ?? 0,
            "values must be sorted in increasing order",
          ),
        ]
      : []),
    ...points.flatMap(({ utilization = 0, score = 0 }, index) => [
      ...(utilization < 0 || utilization > 100
        ? [invalid(`${path}[${index}].utilization`, utilization, "not in valid range [0, 100]")]
        : []),
      ...(score < 0 || score > 10 ? [invalid(`${path}[${index}].score`, score, "not in valid range [0, 10]")] : []),
    ]),
  ];
}
