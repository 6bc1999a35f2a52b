export type SelectorTokenType =
  | "identifier"
  | "in"
  | "notin"
  | "="
  | "=="
  | "!="
  | ">"
  | "<"
  | "!"
  | "("
  | ")"
  | ","
  | "end";

export interface SelectorToken {
  readonly type: SelectorTokenType;
  readonly text: string;
}

const words: ReadonlyMap<string, SelectorTokenType> = new Map([
  ["in", "in"],
  ["notin", "notin"],
]);
const end: SelectorToken = { type: "end", text: "" };

/** Splits the text of a label selector into tokens, one ahead. */
export class SelectorLexer {
  readonly #text: string;
  #position = 0;
  #ahead: SelectorToken | undefined;

  constructor(text: string) {
    this.#text = text;
  }

  /** Where values may stand `in` and `notin` are plain identifiers. */
  peek(context: "values" | "operators"): SelectorToken {
    this.#ahead ??= this.#scan();
    const token = this.#ahead;
    return context === "values" && words.has(token.text) ? { type: "identifier", text: token.text } : token;
  }

  next(context: "values" | "operators"): SelectorToken {
    const token = this.peek(context);
    this.#ahead = undefined;
    return token;
  }

  #scan(): SelectorToken {
    const text = this.#text;
    while (isSpace(text.charCodeAt(this.#position))) this.#position++;
    if (this.#position >= text.length) return end;
    const start = this.#position;
    const symbol = symbolAt(text, start);
    if (symbol !== undefined) {
      this.#position += symbol.length;
      return { type: symbol, text: symbol };
    }
    while (
      this.#position < text.length &&
      !isSpace(text.charCodeAt(this.#position)) &&
      symbolAt(text, this.#position) === undefined
    ) {
      this.#position++;
    }
    const word = text.slice(start, this.#position);
    return { type: words.get(word) ?? "identifier", text: word };
  }
}

function symbolAt(text: string, position: number): "=" | "==" | "!=" | ">" | "<" | "!" | "(" | ")" | "," | undefined {
  switch (text[position]) {
    case "=":
      return text[position + 1] === "=" ? "==" : "=";
    case "!":
      return text[position + 1] === "=" ? "!=" : "!";
    case ">":
      return ">";
    case "<":
      return "<";
    case "(":
      return "(";
    case ")":
      return ")";
    case ",":
      return ",";
    default:
      return undefined;
  }
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x09 || code === 0x0a || code === 0x0d;
}
