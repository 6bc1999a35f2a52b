/** A type as cel-go prints it. */
export function celTypeName(type: string): string {
  const named = plainNames.get(type);
  if (named !== undefined) return named;
  const generic = /^(list|map|optional)<(.*)>$/.exec(type);
  if (generic === null) return /^[A-Z]$/.test(type) ? "dyn" : type;
  const [, name = "", inner = ""] = generic;
  return `${name === "optional" ? "optional_type" : name}(${splitTypes(inner).map(celTypeName).join(", ")})`;
}

function splitTypes(text: string): readonly string[] {
  const parts: string[] = [];
  let depth = 0;
  let start = 0;
  for (const [index, char] of [...text].entries()) {
    if (char === "<") depth++;
    else if (char === ">") depth--;
    else if (char === "," && depth === 0) {
      parts.push(text.slice(start, index).trim());
      start = index + 1;
    }
  }
  return [...parts, text.slice(start).trim()];
}

const plainNames: ReadonlyMap<string, string> = new Map([
  ["list", "list(dyn)"],
  ["map", "map(dyn, dyn)"],
  ["null", "null_type"],
  ["google.protobuf.Timestamp", "timestamp"],
  ["google.protobuf.Duration", "duration"],
]);
