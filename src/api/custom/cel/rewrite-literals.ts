import { escapedFieldNames } from "./names.js";

/** `Object.spec{replicas: 1, ?paused: x}`, which the engine's grammar does not have. */
export interface MessageLiteral {
  /** The function that takes its fields as a map. */
  readonly constructorName: string;
  readonly type: string;
  readonly fields: readonly string[];
  /** Fields written with `?`: their value is an optional. */
  readonly optional: ReadonlySet<string>;
}

/** An expression in which every literal of a message is a call. */
export interface RewrittenSource {
  readonly text: string;
  readonly literals: readonly MessageLiteral[];
  /** Where in the original a place of the text comes from. */
  readonly originalOffset: (offset: number) => number;
}

/** The function that takes what is optional in a list or map. */
export const optionalElement = "optionalElement";

const roots: ReadonlySet<string> = new Set(["Object", "JSONPatch"]);
const maxNesting = 100;

/** Rewrites literals of `Object...` and `JSONPatch`. What is no valid literal is left as it is, for the parser to refuse. */
export function rewriteMessageLiterals(source: string): RewrittenSource {
  return rewrite(source, roots);
}

/** Whether there may be something optional in a list or map that a source writes down. */
const maybeOptional = /[[{,]\s*\?/;

/** Rewrites `[?a]` and `{?k: a}`, which the engine's grammar does not have either. */
export function rewriteOptionalElements(source: string): Omit<RewrittenSource, "literals"> {
  if (!maybeOptional.test(source)) return { text: source, originalOffset: (offset) => offset };
  return rewrite(source, new Set());
}

function rewrite(source: string, messages: ReadonlySet<string>): RewrittenSource {
  const rewriter = new Rewriter(source, messages);
  if (rewriter.expression(0, 0) === source.length) return rewriter.result();
  return { text: source, literals: [], originalOffset: (offset) => offset };
}

const identifier = /[A-Za-z_][A-Za-z0-9_]*/y;
const path = /[A-Za-z_][A-Za-z0-9_]*(?:\s*\.\s*[A-Za-z_][A-Za-z0-9_]*)*/y;
const blank = /(?:\s|\/\/[^\n]*)*/y;
const text =
  /(?:[rR][bB]?|[bB][rR])(?:"""[\s\S]*?"""|'''[\s\S]*?'''|"[^"\n]*"|'[^'\n]*')|[bB]?(?:"""(?:\\[\s\S]|[^\\])*?"""|'''(?:\\[\s\S]|[^\\])*?'''|"(?:\\[\s\S]|[^"\\\n])*"|'(?:\\[\s\S]|[^'\\\n])*')/y;

class Rewriter {
  readonly #source: string;
  readonly #literals: MessageLiteral[] = [];
  /** Pairs of a place in the text and the place in the source that it comes from, in order. */
  readonly #places: (readonly [number, number])[] = [[0, 0]];
  #text = "";

  readonly #messages: ReadonlySet<string>;

  constructor(source: string, messages: ReadonlySet<string>) {
    this.#source = source;
    this.#messages = messages;
  }

  result(): RewrittenSource {
    const places = this.#places;
    return {
      text: this.#text,
      literals: this.#literals,
      originalOffset(offset) {
        const [at, from] = places.findLast(([place]) => place <= offset) ?? [0, 0];
        return from + offset - at;
      },
    };
  }

  /**
   * Copies up to what ends the expression: a bracket that it did not open, a comma, the end, and of a key the colon. Gives where that is; -1 for
   * what cannot be read.
   */
  expression(start: number, nesting: number, isKey = false): number {
    if (nesting > maxNesting) return -1;
    let at = start;
    let member = false;
    // Whether what comes next would belong to a value before it: a bracket is then an index.
    let operand = false;
    let conditions = 0;
    while (at < this.#source.length) {
      const char = this.#source[at] ?? "";
      const space = this.#match(blank, at);
      const literal = space || this.#match(text, at);
      if (literal !== "") {
        this.#copy(at, literal.length);
        at += literal.length;
        operand = operand || space === "";
        continue;
      }
      if (/[A-Za-z_]/.test(char)) {
        at = member ? this.#word(at) : this.#name(at, nesting);
        if (at < 0) return -1;
        member = false;
        operand = true;
        continue;
      }
      const close = closing.get(char);
      if (close !== undefined) {
        at = this.#bracket(at, close, nesting, !operand);
        if (at < 0) return -1;
        member = false;
        operand = true;
        continue;
      }
      if (nesting > 0 && ends.has(char)) return at;
      if (isKey && char === ":" && conditions === 0) return at;
      if (char === "?" && !member) conditions++;
      if (char === ":") conditions--;
      member = char === "." || (member && char === "?");
      operand = /[0-9]/.test(char);
      const number = this.#match(/[0-9][0-9A-Za-z_.]*/y, at);
      const length = Math.max(1, number.length);
      this.#copy(at, length);
      at += length;
    }
    return at;
  }

  /** A bracket with expressions in it, separated by commas. */
  #bracket(start: number, close: string, nesting: number, isLiteral: boolean): number {
    this.#copy(start, 1);
    let at = start + 1;
    for (;;) {
      const marked = this.#skip(at);
      const isOptional = isLiteral && close !== ")" && this.#source[marked] === "?";
      at = isOptional ? this.#element(marked + 1, close, nesting + 1) : this.expression(at, nesting + 1);
      const char = at < 0 ? undefined : this.#source[at];
      if (char === undefined || (char !== "," && char !== close)) return -1;
      this.#copy(at, 1);
      at++;
      if (char === close) return at;
    }
  }

  /** What is only there if the optional value has one. */
  #element(start: number, close: string, nesting: number): number {
    let at = start;
    if (close === "}") {
      at = this.expression(at, nesting, true);
      if (at < 0 || this.#source[at] !== ":") return -1;
      this.#copy(at, 1);
      at++;
    }
    this.#write(`${optionalElement}(`, at);
    at = this.expression(at, nesting);
    if (at >= 0) this.#write(")", at);
    return at;
  }

  #word(at: number): number {
    const { length } = this.#match(identifier, at);
    this.#copy(at, length);
    return at + length;
  }

  #name(at: number, nesting: number): number {
    const name = this.#match(path, at);
    const type = name.replace(/\s/g, "");
    const open = this.#skip(at + name.length);
    if (this.#messages.has(type.split(".")[0] ?? "") && this.#source[open] === "{") {
      return this.#literal(at, { type, open }, nesting);
    }
    return this.#word(at);
  }

  #literal(start: number, { type, open }: { readonly type: string; readonly open: number }, nesting: number): number {
    const constructorName = `newMessage${this.#literals.length}`;
    const fields: string[] = [];
    const optional = new Set<string>();
    this.#literals.push({ constructorName, type, fields, optional });
    this.#write(`${constructorName}({`, start);
    let at = this.#skip(open + 1);
    while (this.#source[at] !== "}") {
      const isOptional = this.#source[at] === "?";
      if (isOptional) at = this.#skip(at + 1);
      const quoted = this.#match(/`[A-Za-z0-9_./ -]+`/y, at);
      const word = quoted || this.#match(identifier, at);
      const colon = this.#skip(at + word.length);
      if (word === "" || this.#source[colon] !== ":") return -1;
      const name = quoted === "" ? unescapeFieldName(word) : quoted.slice(1, -1);
      fields.push(name);
      if (isOptional) optional.add(name);
      this.#write(JSON.stringify(name), at);
      this.#copy(colon, 1);
      at = this.expression(colon + 1, nesting + 1);
      if (at < 0 || (this.#source[at] !== "," && this.#source[at] !== "}")) return -1;
      if (this.#source[at] !== ",") break;
      this.#copy(at, 1);
      at = this.#skip(at + 1);
    }
    this.#write("})", at);
    return at + 1;
  }

  #match(pattern: RegExp, at: number): string {
    pattern.lastIndex = at;
    return pattern.exec(this.#source)?.[0] ?? "";
  }

  #skip(at: number): number {
    return at + this.#match(blank, at).length;
  }

  #copy(at: number, length: number): void {
    this.#write(this.#source.slice(at, at + length), at);
  }

  #write(written: string, from: number): void {
    this.#places.push([this.#text.length, from]);
    this.#text += written;
  }
}

const closing: ReadonlyMap<string, string> = new Map([
  ["(", ")"],
  ["[", "]"],
  ["{", "}"],
]);
const ends: ReadonlySet<string> = new Set([")", "]", "}", ","]);

/** `__namespace__` and `a__dash__b`, as property names are written that the language has no names for. */
function unescapeFieldName(name: string): string {
  return (
    escapedFieldNames.get(name) ??
    name.replace(/__(underscores|dot|dash|slash)__/g, (_, word: string) => marks[word] ?? "")
  );
}

const marks: { readonly [word: string]: string } = { underscores: "__", dot: ".", dash: "-", slash: "/" };
