/** Words of CEL that cannot be field names; written with two underscores around them. */
const keywords: ReadonlySet<string> = new Set([
  "true",
  "false",
  "null",
  "in",
  "as",
  "break",
  "const",
  "continue",
  "else",
  "for",
  "function",
  "if",
  "import",
  "let",
  "loop",
  "package",
  "namespace",
  "return",
  "var",
  "void",
  "while",
]);

const escapes: readonly (readonly [string, string])[] = [
  ["__", "__underscores__"],
  [".", "__dot__"],
  ["-", "__dash__"],
  ["/", "__slash__"],
];

/** Words of CEL by how expressions write them as field names. */
export const escapedFieldNames: ReadonlyMap<string, string> = new Map(
  [...keywords].map((word) => [`__${word}__`, word]),
);

/** A property's name as expressions write it; undefined for one that they cannot. */
export function escapeFieldName(name: string): string | undefined {
  if (keywords.has(name)) return `__${name}__`;
  if (!/^[A-Za-z_./-][A-Za-z0-9_./-]*$/.test(name)) return undefined;
  const parts = name.split(/(__|[./-])/);
  const escaped = parts.map((part) => escapes.find(([from]) => from === part)?.[1] ?? part).join("");
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(escaped) ? escaped : undefined;
}
