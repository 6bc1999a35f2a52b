import { duplicate, forbidden, invalid, notFoundValue, required } from "../../field-error.js";
import type { CoreResourceClaim, PodSpec, ResourceRequirements } from "../../gen/types.js";
import { compareQuantities, tryParseQuantity } from "../../quantity.js";
import { checkLabel, type Errors } from "../checks.js";
import { entriesOf, type Loose, ownValue } from "../loose.js";
import { effectiveRequest } from "./pod-level-resources.js";
import {
  checkContainerResourceName,
  checkHugePages,
  checkPodResourceName,
  checkResourceQuantity,
  isHugePages,
  isOvercommitAllowed,
} from "./resource-names.js";

interface ResourceRules {
  /** The names of the pod's resource claims. */
  readonly claims?: ReadonlySet<string>;
  readonly checkName?: (errors: Errors, path: string, name: string) => void;
}

export function checkResourceRequirements(
  errors: Errors,
  path: string,
  resources: Loose<ResourceRequirements> | undefined,
  rules: ResourceRules = {},
): void {
  if (resources === undefined) return;
  const { checkName = checkContainerResourceName } = rules;
  const seen = { compute: false, huge: false };
  const note = (name: string): void => {
    if (isHugePages(name)) seen.huge = true;
    if (name === "cpu" || name === "memory") seen.compute = true;
  };
  for (const [name, value] of entriesOf(resources.limits)) {
    const at = `${path}.limits[${name}]`;
    checkName(errors, at, name);
    checkResourceQuantity(errors, at, name, value);
    checkHugePages(errors, at, name, value);
    note(name);
  }
  for (const [name, value] of entriesOf(resources.requests)) {
    const at = `${path}.requests[${name}]`;
    checkName(errors, at, name);
    checkResourceQuantity(errors, at, name, value);
    const limit = ownValue(resources.limits, name);
    if (limit !== undefined) checkAgainstLimit(errors, path, name, value, limit);
    else if (!isOvercommitAllowed(name)) {
      errors.push(required(`${path}.limits`, "Limit must be set for non overcommitable resources"));
    }
    checkHugePages(errors, at, name, value);
    note(name);
  }
  if (seen.huge && !seen.compute) errors.push(forbidden(path, "HugePages require cpu or memory"));
  checkClaims(errors, `${path}.claims`, resources.claims ?? [], rules.claims ?? new Set());
}

/** The resources of a pod as a whole must be enough for its containers. */
export function checkPodResources(
  errors: Errors,
  path: string,
  spec: Loose<PodSpec>,
  claims: ReadonlySet<string>,
): void {
  const { resources, containers = [] } = spec;
  if (resources === undefined) return;
  if (resources.claims !== undefined) {
    errors.push(forbidden(`${path}.claims`, "claims cannot be set for Resources at pod-level"));
  }
  checkResourceRequirements(errors, path, resources, { claims, checkName: checkPodResourceName });
  for (const name of namesRequested(spec)) {
    const asked = effectiveRequest(spec, name);
    const given = tryParseQuantity(ownValue(resources.requests, name) ?? "0");
    if (asked === undefined || given === undefined || asked.compare(given) <= 0) continue;
    const why = `must be greater than or equal to aggregate container requests of ${asked.toString()}`;
    errors.push(invalid(`${path}.requests[${name}]`, given.toString(), why));
  }
  containers.forEach((container, index) => {
    for (const [name, limit] of entriesOf(container.resources?.limits)) {
      const most = tryParseQuantity(ownValue(resources.limits, name));
      const own = tryParseQuantity(limit);
      if (most === undefined || own === undefined || own.compare(most) <= 0) continue;
      const at = `${path}.containers[${index}][${name}].limits`;
      errors.push(invalid(at, own.toString(), `must be less than or equal to pod limits of ${most.toString()}`));
    }
  });
}

function namesRequested(spec: Loose<PodSpec>): readonly string[] {
  const all = [...(spec.containers ?? []), ...(spec.initContainers ?? [])];
  const names = new Set(all.flatMap((container) => Object.keys(container.resources?.requests ?? {})));
  return [...names].filter((name) => name === "cpu" || name === "memory" || isHugePages(name));
}

function checkAgainstLimit(errors: Errors, path: string, name: string, request: string, limit: string): void {
  const asked = tryParseQuantity(request);
  const most = tryParseQuantity(limit);
  if (asked === undefined || most === undefined) return;
  const order = compareQuantities(request, limit);
  if (!isOvercommitAllowed(name) && order !== 0) {
    errors.push(invalid(`${path}.requests`, asked.toString(), `must be equal to ${name} limit of ${most.toString()}`));
  } else if (order > 0) {
    const why = `must be less than or equal to ${name} limit of ${most.toString()}`;
    errors.push(invalid(`${path}.requests`, asked.toString(), why));
  }
}

function checkClaims(
  errors: Errors,
  path: string,
  claims: readonly Loose<CoreResourceClaim>[],
  known: ReadonlySet<string>,
): void {
  const seen = new Set<string>();
  claims.forEach(({ name = "", request = "" }, index) => {
    const at = `${path}[${index}]`;
    if (name === "") {
      errors.push(required(at));
      return;
    }
    if (seen.has(name)) errors.push(duplicate(at, name));
    else {
      if (request !== "") checkLabel(errors, `${at}.request`, request);
      const key = request === "" ? name : `${name}/${request}`;
      if (seen.has(key)) errors.push(duplicate(at, key));
      else if (request === "") {
        // The whole claim, of which a part was already asked for.
        for (const earlier of seen) if (earlier.startsWith(`${name}/`)) errors.push(duplicate(at, name));
      }
      seen.add(key);
    }
    if (known.has(name)) return;
    const names = known.size === 0 ? " which is empty" : `: ${[...known].sort().join(", ")}`;
    errors.push(notFoundValue(at, name, `must be one of the names in pod.spec.resourceClaims${names}`));
  });
}
