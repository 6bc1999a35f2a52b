import { parse } from "yaml";
import type { WeightedPolicy } from "./engine/class-cache.js";
import type { SchedulingPolicy } from "./framework/policy.js";
import type { VectorPart } from "./framework/vector.js";
import { defaultPolicies } from "./policies/default-policies.js";
import { defaultPreemption } from "./policies/default-preemption.js";
import { interPodAffinity } from "./policies/inter-pod-affinity.js";
import { nodeAffinity } from "./policies/node-affinity.js";
import { nodeResourcesBalancedAllocation, nodeResourcesFit } from "./policies/node-resources.js";
import { podTopologySpread } from "./policies/pod-topology-spread.js";
import { volumeBinding } from "./policies/volume-binding.js";
import type { SchedulerProfile } from "./profile.js";

/** What a KubeSchedulerConfiguration says that this scheduler heeds. */
export interface SchedulerConfiguration {
  readonly profiles: readonly SchedulerProfile[];
  readonly initialBackoffMs?: number;
  readonly maxBackoffMs?: number;
  readonly leaderElect?: boolean;
}

/** Makes a policy from its arguments in the configuration. */
export type PolicyFactory = (args: object) => SchedulingPolicy;

/** A configuration that cannot be used; the message says where. */
export class ConfigurationError extends Error {
  override readonly name = "ConfigurationError";
}

type Json = { readonly [key: string]: unknown };

const withArgs: ReadonlyMap<string, PolicyFactory> = new Map<string, PolicyFactory>([
  ["NodeAffinity", nodeAffinity],
  ["NodeResourcesFit", nodeResourcesFit],
  ["NodeResourcesBalancedAllocation", nodeResourcesBalancedAllocation],
  ["PodTopologySpread", podTopologySpread],
  ["InterPodAffinity", interPodAffinity],
  ["VolumeBinding", volumeBinding],
  ["DefaultPreemption", defaultPreemption],
]);

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

/**
 * Reads upstream's `kubescheduler.config.k8s.io/v1` YAML or JSON. `custom` adds policies that it may name. Throws
 * ConfigurationError for other kinds and for names that nobody knows.
 */
export function readConfiguration(
  text: string,
  custom: Readonly<Record<string, PolicyFactory>> = {},
): SchedulerConfiguration {
  const document = object(parse(text, { maxAliasCount: 100 }), "configuration");
  if (document.kind !== "KubeSchedulerConfiguration" || document.apiVersion !== "kubescheduler.config.k8s.io/v1") {
    throw new ConfigurationError("want apiVersion kubescheduler.config.k8s.io/v1, kind KubeSchedulerConfiguration");
  }
  const percentage = number(document.percentageOfNodesToScore, "percentageOfNodesToScore");
  const profiles = list(document.profiles ?? [{}], "profiles").map((entry, index) =>
    profileOf(object(entry, `profiles[${index}]`), `profiles[${index}]`, percentage, new Map(Object.entries(custom))),
  );
  const initial = number(document.podInitialBackoffSeconds, "podInitialBackoffSeconds");
  const max = number(document.podMaxBackoffSeconds, "podMaxBackoffSeconds");
  const election =
    document.leaderElection === undefined ? undefined : object(document.leaderElection, "leaderElection");
  return {
    profiles,
    ...(initial === undefined ? {} : { initialBackoffMs: initial * 1000 }),
    ...(max === undefined ? {} : { maxBackoffMs: max * 1000 }),
    ...(typeof election?.leaderElect === "boolean" ? { leaderElect: election.leaderElect } : {}),
  };
}

function profileOf(
  profile: Json,
  path: string,
  percentage: number | undefined,
  custom: ReadonlyMap<string, PolicyFactory>,
): SchedulerProfile {
  const args = new Map<string, object>();
  for (const entry of list(profile.pluginConfig ?? [], `${path}.pluginConfig`)) {
    const { name, args: own } = object(entry, `${path}.pluginConfig`);
    args.set(String(name), object(own ?? {}, `${path}.pluginConfig`));
  }
  const known = new Map(defaultPolicies().map((entry) => [entry.policy.name, entry]));
  const make = (name: string): WeightedPolicy => {
    const factory = custom.get(name) ?? (args.has(name) ? withArgs.get(name) : undefined);
    const standard = known.get(name);
    if (factory === undefined && standard === undefined) {
      throw new ConfigurationError(`${path}.plugins: no policy is named ${JSON.stringify(name)}`);
    }
    const policy = factory === undefined ? standard?.policy : factory(args.get(name) ?? {});
    if (policy === undefined)
      throw new ConfigurationError(`${path}.plugins: no policy is named ${JSON.stringify(name)}`);
    return { policy, weight: standard?.weight ?? (policy.score === undefined ? 0 : 1) };
  };
  let policies = new Map([...known.keys()].map((name) => [name, make(name)]));
  const plugins = object(profile.plugins ?? {}, `${path}.plugins`);
  policies = multiPoint(policies, setOf(plugins.multiPoint, `${path}.plugins.multiPoint`), make);
  for (const [point, methods] of points) {
    const { enabled, disabled } = setOf(plugins[point], `${path}.plugins.${point}`);
    for (const [name, entry] of policies) {
      const off = disabled.has(name) || (disabled.has("*") && !enabled.some((other) => other.name === name));
      if (off)
        policies.set(
          name,
          point === "score" ? { ...entry, weight: 0 } : { ...entry, policy: without(entry.policy, methods) },
        );
    }
    for (const { name, weight } of enabled) {
      const entry = policies.get(name) ?? only(make(name), methods);
      policies.set(name, weight === undefined || point !== "score" ? entry : { ...entry, weight });
    }
  }
  const own = number(profile.percentageOfNodesToScore, `${path}.percentageOfNodesToScore`) ?? percentage;
  return {
    ...(typeof profile.schedulerName === "string" ? { schedulerName: profile.schedulerName } : {}),
    policies: [...policies.values()],
    ...(own === undefined ? {} : { percentageOfNodesToScore: own }),
  };
}

interface PluginSet {
  readonly enabled: readonly { readonly name: string; readonly weight: number | undefined }[];
  readonly disabled: ReadonlySet<string>;
}

function multiPoint(
  policies: ReadonlyMap<string, WeightedPolicy>,
  { enabled, disabled }: PluginSet,
  make: (name: string) => WeightedPolicy,
): Map<string, WeightedPolicy> {
  const left = new Map([...policies].filter(([name]) => !disabled.has("*") && !disabled.has(name)));
  for (const { name, weight } of enabled) {
    const entry = left.get(name) ?? make(name);
    left.set(name, weight === undefined ? entry : { ...entry, weight });
  }
  return left;
}

function setOf(value: unknown, path: string): PluginSet {
  const set = object(value ?? {}, path);
  const entries = (field: "enabled" | "disabled"): Json[] =>
    list(set[field] ?? [], `${path}.${field}`).map((entry) => object(entry, `${path}.${field}`));
  return {
    enabled: entries("enabled")
      // Binding through the API is what is done when no policy binds.
      .filter(({ name }) => name !== "DefaultBinder")
      .map(({ name, weight }) => ({ name: String(name), weight: number(weight, `${path}.enabled`) || undefined })),
    disabled: new Set(entries("disabled").map(({ name }) => String(name))),
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

function object(value: unknown, path: string): Json {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new ConfigurationError(`${path}: want an object`);
  }
  return value as Json;
}

function list(value: unknown, path: string): readonly unknown[] {
  if (!Array.isArray(value)) throw new ConfigurationError(`${path}: want a list`);
  return value;
}

function number(value: unknown, path: string): number | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "number" || !Number.isFinite(value) || value < 0) {
    throw new ConfigurationError(`${path}: want a number`);
  }
  return value;
}
