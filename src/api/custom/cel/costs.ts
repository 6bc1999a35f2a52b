/** Upstream's figures: a character costs a tenth of a step, one of a regular expression a quarter. */
const perCharacter = 0.1;
const perRegexCharacter = 0.25;

/** To go through a text once. */
export function traversal(text: string): number {
  return Math.ceil(text.length * perCharacter);
}

/** To go through a text with a regular expression. */
export function regexTraversal(text: string, pattern: string): number {
  return Math.ceil((1 + text.length) * perCharacter) * Math.max(1, Math.ceil(pattern.length * perRegexCharacter));
}

/** To go through a list once. Items that are lists themselves count with all that is in them. */
export function listTraversal(list: readonly unknown[]): number {
  return list.length * weightOf(list);
}

/** To compare every item of one list with every item of another. */
export function productTraversal(a: readonly unknown[], b: readonly unknown[]): number {
  return a.length * b.length * Math.min(weightOf(a), weightOf(b));
}

/** What comparing one item may take, by the first: upstream counts one, whatever it is. */
function weightOf([first]: readonly unknown[]): number {
  if (typeof first === "string") return Math.max(1, first.length * perCharacter);
  if (typeof first !== "object" || first === null) return 1;
  return 1 + (Array.isArray(first) ? first.length : first instanceof Map ? first.size : Object.keys(first).length);
}
