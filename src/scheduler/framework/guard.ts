import type { Clock } from "../../internal/clock.js";
import { type Rejection, toRejection, type Verdict } from "./policy.js";

/** A policy broke its contract while working on a pod: the pod's cycle fails, nothing else. */
export class PolicyError extends Error {
  override readonly name = "PolicyError";
  readonly policy: string;
  readonly point: string;

  constructor(policy: string, point: string, problem: string, options?: { readonly cause?: unknown }) {
    super(`running ${JSON.stringify(point)} of policy ${JSON.stringify(policy)}: ${problem}`, options);
    this.policy = policy;
    this.point = point;
  }
}

/** Calls a synchronous method of a policy. Throws only PolicyError. */
export function guarded<T>(policy: string, point: string, call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw policyError(policy, point, error);
  }
}

/** What a call of a policy threw, as a PolicyError. */
export function policyError(policy: string, point: string, error: unknown): PolicyError {
  return error instanceof PolicyError ? error : new PolicyError(policy, point, describe(error), { cause: error });
}

/** Awaits a method of a policy, at most `timeoutMs`. Rejects only with PolicyError. */
export async function guardedAsync<T>(
  policy: string,
  point: string,
  call: () => Promise<T> | T,
  clock: Clock,
  timeoutMs: number,
): Promise<T> {
  const result = guarded(policy, point, call);
  if (!(result instanceof Promise)) return result;
  return new Promise<T>((resolve, reject) => {
    const timer = clock.setTimeout(
      () => reject(new PolicyError(policy, point, `no answer within ${timeoutMs / 1000}s`)),
      timeoutMs,
    );
    result.then(
      (value) => {
        timer.cancel();
        resolve(value);
      },
      (error: unknown) => {
        timer.cancel();
        reject(new PolicyError(policy, point, describe(error), { cause: error }));
      },
    );
  });
}

/** A score that can be added up. */
export function checkedScore(policy: string, point: string, score: unknown, bounded: boolean): number {
  if (typeof score !== "number" || !Number.isFinite(score)) {
    throw new PolicyError(policy, point, `gave ${String(score)} in place of a finite number`);
  }
  if (bounded && (score < 0 || score > 100)) {
    throw new PolicyError(policy, point, `gave the score ${score}, which is not in the range from 0 to 100`);
  }
  return score;
}

/** A rejection that can be counted and told. */
export function checkedVerdict(policy: string, verdict: Exclude<Verdict, undefined>): Rejection {
  if (typeof verdict === "string") return toRejection(verdict);
  if (typeof verdict === "object" && verdict !== null && Array.isArray(verdict.reasons)) return verdict;
  throw new PolicyError(policy, "Filter", `gave ${String(verdict)} in place of a verdict`);
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
