import { type Shape, shapeErrors } from "../../api/configuration-shape.js";
import { duplicate, type FieldError, invalid, notFoundValue } from "../../api/field-error.js";
import type { WeightedPolicy } from "../engine/class-cache.js";
import type { SchedulingPolicy } from "../framework/policy.js";
import type { VectorPart } from "../framework/vector.js";
import { defaultPolicies } from "../policies/default-policies.js";
import type { SchedulerProfile } from "../profile.js";
import { argumentReaders } from "./arguments.js";

/** Makes a policy from its arguments in the configuration. */
export type PolicyFactory = (args: object) => SchedulingPolicy;

const points: ReadonlyMap<string, readonly (keyof SchedulingPolicy)[]> = new Map([
  ["preEnqueue", ["preEnqueue"]],
  ["queueSort", ["queueSort"]],
  ["preFilter", ["preFilter"]],
  ["filter", ["preFilter", "filter"]],
  ["postFilter", ["postFilter"]],
  ["preScore", ["preScore"]],
  ["score", ["preScore", "score", "normalizeScore"]],
  ["reserve", ["reserve", "unreserve"]],
  ["permit", ["permit"]],
  ["preBind", ["preBind"]],
  ["bind", ["bind"]],
  ["postBind", ["postBind"]],
]);

const pluginSet: Shape = {
  fields: {
    enabled: { list: { fields: { name: "string", weight: "integer" } } },
    disabled: { list: { fields: { name: "string", weight: "integer" } } },
  },
};

export const profileShape: Shape = {
  fields: {
    schedulerName: "string",
    percentageOfNodesToScore: "integer",
    plugins: { fields: Object.fromEntries([...points.keys(), "multiPoint"].map((point) => [point, pluginSet])) },
    pluginConfig: { list: { fields: { name: "string", args: "any" } } },
  },
};

interface PluginEntry {
  readonly name?: string;
  readonly weight?: number;
}

interface PluginSet {
  readonly enabled?: readonly PluginEntry[];
  readonly disabled?: readonly PluginEntry[];
}

/** Of that shape. */
export interface ProfileConfiguration {
  readonly schedulerName?: string;
  readonly percentageOfNodesToScore?: number;
  readonly plugins?: Readonly<Record<string, PluginSet>>;
  readonly pluginConfig?: readonly { readonly name?: string; readonly args?: object }[];
}

export interface ProfileSurroundings {
  /** Policies beyond upstream's that a profile may name. */
  readonly custom: ReadonlyMap<string, PolicyFactory>;
  readonly percentageOfNodesToScore: number | undefined;
  /** What NodeResourcesFit is not to count. */
  readonly ignoredResources: readonly string[];
}

export function profileErrors(
  profile: ProfileConfiguration,
  path: string,
  { custom }: ProfileSurroundings,
): readonly FieldError[] {
  const errors: FieldError[] = [];
  const { percentageOfNodesToScore: share = 0, plugins = {}, pluginConfig = [] } = profile;
  if (share < 0 || share > 100) {
    errors.push(invalid(`${path}.percentageOfNodesToScore`, share, "not in valid range [0-100]"));
  }
  const known = new Set([...defaultPolicies().map(({ policy }) => policy.name), ...custom.keys(), binder]);
  for (const [point, { enabled = [] }] of Object.entries(plugins)) {
    enabled.forEach(({ name = "" }, index) => {
      if (!known.has(name)) errors.push(notFoundValue(`${path}.plugins.${point}.enabled[${index}].name`, name));
    });
  }
  const configured = new Set<string>();
  pluginConfig.forEach(({ name = "", args }, index) => {
    const at = `${path}.pluginConfig[${index}]`;
    if (configured.has(name)) errors.push(duplicate(at, name));
    configured.add(name);
    errors.push(...argumentErrors(name, args ?? {}, at, known));
  });
  return errors;
}

function argumentErrors(name: string, args: object, path: string, known: ReadonlySet<string>): readonly FieldError[] {
  const reader = argumentReaders.get(name);
  if (reader === undefined) return known.has(name) ? [] : [notFoundValue(`${path}.name`, name)];
  const { apiVersion: _, kind, ...own } = args as { apiVersion?: string; kind?: string };
  if (kind !== undefined && kind !== `${name}Args`) return [invalid(`${path}.args`, kind, "has to match plugin args")];
  const misshapen = shapeErrors(own, reader.shape, `${path}.args`);
  return misshapen.length > 0 ? misshapen : reader.errors(own, `${path}.args`);
}

/** Binding through the API is what is done when no policy binds. */
const binder = "DefaultBinder";

/** Of a configuration without errors. */
export function profileOf(profile: ProfileConfiguration, surroundings: ProfileSurroundings): SchedulerProfile {
  const { plugins = {}, pluginConfig = [], schedulerName } = profile;
  const args = new Map(pluginConfig.map(({ name = "", args: own }) => [name, own ?? {}]));
  const standard = new Map(defaultPolicies().map((entry) => [entry.policy.name, entry]));
  const make = (name: string): WeightedPolicy => {
    const policy = makePolicy(name, args.get(name), standard, surroundings);
    return { policy, weight: standard.get(name)?.weight ?? (policy.score === undefined ? 0 : 1) };
  };
  let policies = new Map([...standard.keys()].map((name) => [name, make(name)]));
  policies = multiPoint(policies, plugins["multiPoint"] ?? {}, make);
  for (const [point, methods] of points) {
    const { enabled, disabled } = parts(plugins[point] ?? {});
    for (const [name, entry] of policies) {
      const off = disabled.has(name) || (disabled.has("*") && !enabled.some((other) => other.name === name));
      if (!off) continue;
      const left = point === "score" ? { ...entry, weight: 0 } : { ...entry, policy: without(entry.policy, methods) };
      policies.set(name, left);
    }
    for (const { name, weight } of enabled) {
      const entry = policies.get(name) ?? only(make(name), methods);
      policies.set(name, weight === undefined || point !== "score" ? entry : { ...entry, weight });
    }
  }
  const share = profile.percentageOfNodesToScore ?? surroundings.percentageOfNodesToScore;
  return {
    ...(schedulerName === undefined ? {} : { schedulerName }),
    policies: [...policies.values()],
    ...(share === undefined ? {} : { percentageOfNodesToScore: share }),
  };
}

function makePolicy(
  name: string,
  args: object | undefined,
  standard: ReadonlyMap<string, WeightedPolicy>,
  { custom, ignoredResources }: ProfileSurroundings,
): SchedulingPolicy {
  const own = custom.get(name);
  if (own !== undefined) return own(args ?? {});
  const reader = argumentReaders.get(name);
  const ignoring = name === "NodeResourcesFit" && ignoredResources.length > 0;
  if (reader !== undefined && ignoring) {
    const { ignoredResources: more = [] } = (args ?? {}) as { ignoredResources?: readonly string[] };
    return reader.make({ ...args, ignoredResources: [...more, ...ignoredResources] });
  }
  const known = standard.get(name)?.policy;
  if (reader !== undefined && args !== undefined) return reader.make(args);
  if (known === undefined) throw new Error(`no policy is named ${JSON.stringify(name)}`);
  return known;
}

function multiPoint(
  policies: ReadonlyMap<string, WeightedPolicy>,
  set: PluginSet,
  make: (name: string) => WeightedPolicy,
): Map<string, WeightedPolicy> {
  const { enabled, disabled } = parts(set);
  const left = new Map([...policies].filter(([name]) => !disabled.has("*") && !disabled.has(name)));
  for (const { name, weight } of enabled) {
    const entry = left.get(name) ?? make(name);
    left.set(name, weight === undefined ? entry : { ...entry, weight });
  }
  return left;
}

function parts({ enabled = [], disabled = [] }: PluginSet): {
  readonly enabled: readonly { readonly name: string; readonly weight: number | undefined }[];
  readonly disabled: ReadonlySet<string>;
} {
  return {
    // A weight of 0 is none given.
    enabled: enabled
      .map(({ name = "", weight }) => ({ name, weight: weight || undefined }))
      .filter(({ name }) => name !== binder),
    disabled: new Set(disabled.map(({ name = "" }) => name)),
  };
}

/** The policy without these methods, compiled or not. */
function without(policy: SchedulingPolicy, methods: readonly (keyof SchedulingPolicy)[]): SchedulingPolicy {
  const left = Object.fromEntries(
    Object.entries(policy).filter(([key]) => !methods.some((method) => method === key)),
  ) as Partial<SchedulingPolicy>;
  const { vector } = policy;
  const { vector: _, ...rest } = { name: policy.name, ...left };
  if (vector === undefined || !methods.includes("filter")) return vector === undefined ? rest : { ...rest, vector };
  const unfiltered = ({ nodeFilter: _node, podsFilter: _pods, topology, ...part }: VectorPart): VectorPart => {
    if (topology === undefined) return part;
    const { filter: _filter, ...unchecked } = topology;
    return { ...part, topology: unchecked };
  };
  return {
    ...rest,
    vector: {
      key: (pod, context) => vector.key(pod, context),
      compile(pod, context) {
        const part = vector.compile(pod, context);
        return part === undefined ? undefined : unfiltered(part);
      },
    },
  };
}

function only(entry: WeightedPolicy, methods: readonly (keyof SchedulingPolicy)[]): WeightedPolicy {
  const others = [...points.values()].flat().filter((method) => !methods.includes(method));
  const scores = methods.includes("score");
  return { policy: without(entry.policy, others), weight: scores ? entry.weight || 1 : 0 };
}
