/**
 * Replaces `$(NAME)` by what `lookup` knows; what it does not know stays as written, and `$$` is one `$` that begins nothing. The
 * documented syntax of command, args, env values and subPathExpr.
 */
export function expand(text: string, lookup: (name: string) => string | undefined): string {
  let result = "";
  let at = 0;
  for (;;) {
    const dollar = text.indexOf("$", at);
    if (dollar < 0 || dollar + 1 >= text.length) return result + text.slice(at);
    result += text.slice(at, dollar);
    const next = text[dollar + 1];
    if (next === "$") {
      result += "$";
      at = dollar + 2;
      continue;
    }
    const end = next === "(" ? text.indexOf(")", dollar + 2) : -1;
    if (end < 0) {
      result += `$${next}`;
      at = dollar + 2;
      continue;
    }
    const name = text.slice(dollar + 2, end);
    result += lookup(name) ?? `$(${name})`;
    at = end + 1;
  }
}
