import type { CompiledExpression } from "../../../api/admission-cel/compiler.js";
import { type Evaluation, EvaluationError, OutOfBudget } from "./evaluation.js";

export type ConditionsOutcome = { readonly matches: boolean; readonly error?: undefined } | { readonly error: string };

/**
 * Whether all conditions hold. One that does not decides, whatever happens to the others; where none does and one failed, the policy for
 * failures decides.
 */
export async function conditionsMatch(
  conditions: readonly CompiledExpression[],
  evaluation: Evaluation,
  failurePolicy: string | undefined,
): Promise<ConditionsOutcome> {
  const failures = new Set<string>();
  for (const condition of conditions) {
    try {
      if ((await evaluation.run(condition)) === false) return { matches: false };
    } catch (error) {
      if (!(error instanceof EvaluationError)) throw error;
      failures.add(error.message);
      if (error instanceof OutOfBudget) break;
    }
  }
  if (failures.size === 0) return { matches: true };
  if (failurePolicy === "Ignore") return { matches: false };
  const [first = "", ...more] = failures;
  return { error: more.length === 0 ? first : `[${[first, ...more].join(", ")}]` };
}
