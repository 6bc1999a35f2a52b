import { SelectorError, selectorLimits } from "./labels.js";

export interface FieldRequirement {
  /** `metadata.name`, `spec.nodeName`. */
  readonly path: string;
  readonly operator: "=" | "!=";
  readonly value: string;
}

/** A compiled field selector. Immutable. */
export interface FieldSelector {
  readonly empty: boolean;
  readonly requirements: readonly FieldRequirement[];
  /** `get` gives the text of a field, `""` where it is unset. */
  matches(get: (path: string) => string): boolean;
  /** The value that the selector demands of a path, when it demands exactly one: what turns a list into a get. */
  exact(path: string): string | undefined;
  /** Canonical text with escapes. */
  toString(): string;
}

class CompiledFieldSelector implements FieldSelector {
  readonly requirements: readonly FieldRequirement[];
  readonly empty: boolean;

  constructor(requirements: readonly FieldRequirement[]) {
    this.requirements = requirements;
    this.empty = requirements.length === 0;
  }

  matches(get: (path: string) => string): boolean {
    for (const { path, operator, value } of this.requirements) {
      if ((get(path) === value) !== (operator === "=")) return false;
    }
    return true;
  }

  exact(path: string): string | undefined {
    return this.requirements.find((requirement) => requirement.path === path && requirement.operator === "=")?.value;
  }

  toString(): string {
    return this.requirements
      .map(({ path, operator, value }) => `${path}${operator}${escapeFieldValue(value)}`)
      .join(",");
  }
}

export const everyField: FieldSelector = new CompiledFieldSelector([]);

/**
 * Reads `a=b,c!=d,e==f`; in values `\`, `,` and `=` are written with a backslash before them. Empty terms are skipped.
 * Throws SelectorError with upstream's message. Whether a kind knows a path is for the caller to ask.
 */
export function parseFieldSelector(text: string): FieldSelector {
  if (text.length > selectorLimits.textLength) {
    throw new SelectorError(`field selector is too long: may not be more than ${selectorLimits.textLength} bytes`);
  }
  const requirements: FieldRequirement[] = [];
  for (const term of splitTerms(text)) {
    if (term === "") continue;
    const requirement = parseTerm(term);
    if (requirement === undefined) {
      throw new SelectorError(`invalid selector: '${text}'; can't understand '${term}'`);
    }
    requirements.push(requirement);
    if (requirements.length > selectorLimits.requirements) {
      throw new SelectorError(`field selector has too many requirements: at most ${selectorLimits.requirements}`);
    }
  }
  return requirements.length === 0 ? everyField : new CompiledFieldSelector(requirements);
}

/** The selector that demands one value of one path. */
export function fieldEquals(path: string, value: string): FieldSelector {
  return new CompiledFieldSelector([{ path, operator: "=", value }]);
}

/** A value as it must be written in a field selector. */
export function escapeFieldValue(value: string): string {
  return value.replace(/[\\,=]/g, "\\$&");
}

function splitTerms(text: string): string[] {
  const terms: string[] = [];
  let start = 0;
  for (let index = 0; index < text.length; index++) {
    if (text[index] === "\\") index++;
    else if (text[index] === ",") {
      terms.push(text.slice(start, index));
      start = index + 1;
    }
  }
  terms.push(text.slice(start));
  return terms;
}

/** The first operator wins; the left side has no escapes. */
function parseTerm(term: string): FieldRequirement | undefined {
  for (let index = 0; index < term.length; index++) {
    const operator = term.startsWith("!=", index)
      ? "!="
      : term.startsWith("==", index)
        ? "=="
        : term[index] === "="
          ? "="
          : undefined;
    if (operator !== undefined) {
      const value = unescapeValue(term.slice(index + operator.length));
      return { path: term.slice(0, index), operator: operator === "!=" ? "!=" : "=", value };
    }
  }
  return undefined;
}

function unescapeValue(text: string): string {
  if (!/[\\,=]/.test(text)) return text;
  let value = "";
  for (let index = 0; index < text.length; index++) {
    const character = text[index] ?? "";
    if (character === "\\") {
      const next = text[++index];
      if (next !== "\\" && next !== "," && next !== "=") {
        throw new SelectorError(`invalid field selector: invalid escape sequence: \\${next ?? ""}`);
      }
      value += next;
    } else if (character === "," || character === "=") {
      // Upstream prints the character's code.
      throw new SelectorError(`invalid field selector: unescaped character in value: ${character.charCodeAt(0)}`);
    } else value += character;
  }
  return value;
}
