import type { KubeObject, MatchResources, ParamKind, ParamRef, ResourceType } from "../../../api/index.js";
import type { AdmissionRequest, CacheReader } from "../admission.js";
import { RuleIndex } from "../rule-index.js";
import { type MatchCriteria, type MatchDeps, matchCriteria } from "../rule-match.js";

/** What both kinds of policies have. */
export interface PolicyObject extends KubeObject {
  readonly spec?: { readonly matchConstraints?: MatchResources; readonly paramKind?: ParamKind };
}

export interface BindingObject extends KubeObject {
  readonly spec?: {
    readonly policyName?: string;
    readonly paramRef?: ParamRef;
    readonly matchResources?: MatchResources;
  };
}

export interface BoundPolicy<P, B, C> {
  readonly policy: P;
  readonly criteria: MatchCriteria;
  readonly bindings: readonly { readonly binding: B; readonly criteria: MatchCriteria | undefined }[];
  /** Compiled when it first matches. */
  readonly compiled: () => C;
}

/**
 * The policies that are bound, by name. Follows the objects in the cache, and looks at them again only when one has changed; what was compiled
 * is kept while its policy stays as it is.
 */
export class PolicySource<P extends PolicyObject, B extends BindingObject, C> {
  readonly #cache: CacheReader;
  readonly #policies: ResourceType<P>;
  readonly #bindings: ResourceType<B>;
  readonly #compile: (policy: P) => C;
  /** By uid and generation: objects of the cache are not the same ones for long. */
  #kept = new Map<string, C>();
  #generations: readonly [number, number] = [Number.NaN, Number.NaN];
  #known: RuleIndex<BoundPolicy<P, B, C>> = new RuleIndex<BoundPolicy<P, B, C>>([], ({ criteria }) => criteria);

  constructor(
    cache: CacheReader,
    options: {
      readonly policies: ResourceType<P>;
      readonly bindings: ResourceType<B>;
      readonly compile: (policy: P) => C;
    },
  ) {
    this.#cache = cache;
    this.#policies = options.policies;
    this.#bindings = options.bindings;
    this.#compile = options.compile;
  }

  /** Those that may be about a request. */
  boundFor(request: AdmissionRequest, deps: Pick<MatchDeps, "equivalents">): readonly BoundPolicy<P, B, C>[] {
    return this.#bound().candidates(request, deps);
  }

  #bound(): RuleIndex<BoundPolicy<P, B, C>> {
    const policies = this.#cache.generation(this.#policies);
    const bindings = this.#cache.generation(this.#bindings);
    if (policies === this.#generations[0] && bindings === this.#generations[1]) return this.#known;
    this.#generations = [policies, bindings];
    this.#known = new RuleIndex(this.#read(), ({ criteria }) => criteria);
    return this.#known;
  }

  #read(): readonly BoundPolicy<P, B, C>[] {
    const byPolicy = new Map<string, B[]>();
    for (const binding of byName(this.#cache.list(this.#bindings))) {
      const name = binding.spec?.policyName ?? "";
      byPolicy.set(name, [...(byPolicy.get(name) ?? []), binding]);
    }
    const before = this.#kept;
    this.#kept = new Map();
    if (byPolicy.size === 0) return [];
    return byName(this.#cache.list(this.#policies)).flatMap((policy) => {
      const bindings = byPolicy.get(policy.metadata.name ?? "") ?? [];
      if (bindings.length === 0) return [];
      const kept = before.get(versionOf(policy));
      if (kept !== undefined) this.#kept.set(versionOf(policy), kept);
      return [this.#boundPolicy(policy, bindings)];
    });
  }

  #boundPolicy(policy: P, bindings: readonly B[]): BoundPolicy<P, B, C> {
    return {
      policy,
      criteria: criteriaOf(policy.spec?.matchConstraints ?? {}, false),
      bindings: bindings.map((binding) => {
        const match = binding.spec?.matchResources;
        return { binding, criteria: match === undefined ? undefined : criteriaOf(match, true) };
      }),
      compiled: () => {
        const kept = this.#kept.get(versionOf(policy));
        if (kept !== undefined) return kept;
        const compiled = this.#compile(policy);
        this.#kept.set(versionOf(policy), compiled);
        return compiled;
      },
    };
  }
}

function versionOf({ metadata }: KubeObject): string {
  return `${metadata.uid} ${metadata.generation ?? metadata.resourceVersion}`;
}

function criteriaOf(match: MatchResources, withoutRules: boolean): MatchCriteria {
  const { resourceRules: rules = [], excludeResourceRules: excluded } = match;
  return matchCriteria({ ...match, rules, excluded, everyResource: withoutRules && rules.length === 0 });
}

function byName<T extends KubeObject>(objects: readonly T[]): readonly T[] {
  return [...objects].sort((left, right) => ((left.metadata.name ?? "") < (right.metadata.name ?? "") ? -1 : 1));
}
