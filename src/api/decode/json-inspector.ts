import { maxDepth } from "../json-value.js";
import { DecodeError, joinPath } from "./decode-error.js";

const plainEscapes = new Set(['"', "\\", "/", "b", "f", "n", "r", "t"]);

/**
 * Reads JSON text slowly to say what is wrong with it: syntax in Go's words, keys that come twice, integers that a double
 * cannot hold. Only texts for which the fast way found something come here.
 */
export class JsonInspector {
  readonly duplicates: string[] = [];
  readonly order: Map<string, number> = new Map();
  readonly #text: string;
  #at = 0;
  /** Characters that `order` may still take: paths in deep texts add up to far more than the text. */
  #orderBudget = 1024 * 1024;

  constructor(text: string) {
    this.#text = text;
  }

  /** Throws DecodeError for text that is no JSON, nests too deep or has an integer beyond 2^53. */
  inspect(): void {
    this.#value("", 0);
    this.#space();
    if (this.#at < this.#text.length) this.#bad("after top-level value");
  }

  #value(path: string, depth: number): void {
    if (depth > maxDepth) throw new DecodeError("malformed", "exceeded max depth");
    this.#space();
    const character = this.#text[this.#at];
    if (character === "{") this.#object(path, depth);
    else if (character === "[") this.#array(path, depth);
    else if (character === '"') this.#string();
    else if (character === "t") this.#literal("true");
    else if (character === "f") this.#literal("false");
    else if (character === "n") this.#literal("null");
    else if (character === "-" || isDigit(character)) this.#number();
    else this.#bad("looking for beginning of value");
  }

  #object(path: string, depth: number): void {
    this.#at++;
    this.#space();
    if (this.#take("}")) return;
    const seen = new Set<string>();
    for (;;) {
      this.#space();
      if (this.#text[this.#at] !== '"') this.#bad("looking for beginning of object key string");
      const key = this.#string();
      const child = joinPath(path, key);
      this.#orderBudget -= child.length;
      if (this.#orderBudget > 0 && !this.order.has(child)) this.order.set(child, this.#at);
      if (seen.has(key)) {
        const complaint = `duplicate field ${JSON.stringify(child)}`;
        if (!this.duplicates.includes(complaint) && this.duplicates.length < 100) this.duplicates.push(complaint);
      }
      seen.add(key);
      this.#space();
      if (!this.#take(":")) this.#bad("after object key");
      this.#value(child, depth + 1);
      this.#space();
      if (this.#take("}")) return;
      if (!this.#take(",")) this.#bad("after object key:value pair");
    }
  }

  #array(path: string, depth: number): void {
    this.#at++;
    this.#space();
    if (this.#take("]")) return;
    for (let index = 0; ; index++) {
      this.#value(joinPath(path, index), depth + 1);
      this.#space();
      if (this.#take("]")) return;
      if (!this.#take(",")) this.#bad("after array element");
    }
  }

  #string(): string {
    const start = this.#at++;
    for (;;) {
      const character = this.#text[this.#at];
      if (character === undefined) this.#bad("");
      if (character === '"') {
        this.#at++;
        return JSON.parse(this.#text.slice(start, this.#at)) as string;
      }
      if (character < " ") this.#bad("in string literal");
      if (character === "\\") this.#escape();
      else this.#at++;
    }
  }

  #escape(): void {
    this.#at++;
    const character = this.#text[this.#at];
    if (character === "u") {
      this.#at++;
      for (let count = 0; count < 4; count++, this.#at++) {
        if (!/[0-9a-fA-F]/.test(this.#text[this.#at] ?? "")) this.#bad("in \\u hexadecimal character escape");
      }
    } else if (character !== undefined && plainEscapes.has(character)) this.#at++;
    else this.#bad("in string escape code");
  }

  #literal(word: string): void {
    for (const expected of word) {
      if (this.#text[this.#at] !== expected) this.#bad(`in literal ${word} (expecting '${expected}')`);
      this.#at++;
    }
  }

  #number(): void {
    const start = this.#at;
    this.#take("-");
    if (!isDigit(this.#text[this.#at])) this.#bad("in numeric literal");
    if (!this.#take("0")) this.#digits();
    let integer = true;
    if (this.#take(".")) {
      integer = false;
      if (!isDigit(this.#text[this.#at])) this.#bad("after decimal point in numeric literal");
      this.#digits();
    }
    if (this.#take("e") || this.#take("E")) {
      integer = false;
      if (!this.#take("+")) this.#take("-");
      if (!isDigit(this.#text[this.#at])) this.#bad("in exponent of numeric literal");
      this.#digits();
    }
    const literal = this.#text.slice(start, this.#at);
    if (integer && !Number.isSafeInteger(Number(literal))) {
      throw new DecodeError(
        "malformed",
        `json: cannot unmarshal number ${literal.slice(0, 40)} into Go value of type int64: integers beyond 2^53 must be written as strings`,
      );
    }
  }

  #digits(): void {
    while (isDigit(this.#text[this.#at])) this.#at++;
  }

  #space(): void {
    for (;;) {
      const character = this.#text[this.#at];
      if (character !== " " && character !== "\n" && character !== "\r" && character !== "\t") return;
      this.#at++;
    }
  }

  #take(character: string): boolean {
    if (this.#text[this.#at] !== character) return false;
    this.#at++;
    return true;
  }

  #bad(where: string): never {
    const code = this.#text.codePointAt(this.#at);
    if (code === undefined) throw new DecodeError("malformed", "unexpected end of JSON input");
    const character = String.fromCodePoint(code);
    const shown =
      character === "'" ? "'\\''" : character === '"' ? `'"'` : `'${JSON.stringify(character).slice(1, -1)}'`;
    throw new DecodeError("malformed", `invalid character ${shown} ${where}`);
  }
}

function isDigit(character: string | undefined): boolean {
  return character !== undefined && character >= "0" && character <= "9";
}
