import { describe, expect, it } from "vitest";
import { escapeFieldValue, parseFieldSelector } from "./field-selector.js";

describe("parseFieldSelector", () => {
  it.each([
    { text: "", canonical: "" },
    { text: "metadata.name=web", canonical: "metadata.name=web" },
    { text: "a==b,c!=d,", canonical: "a=b,c!=d" },
    { text: "a=b\\,c\\=d\\\\", canonical: "a=b\\,c\\=d\\\\" },
    { text: "spec.nodeName=", canonical: "spec.nodeName=" },
  ])("reads $text", ({ text, canonical }) => {
    expect(parseFieldSelector(text).toString()).toBe(canonical);
  });

  it.each([
    { text: "a", message: "invalid selector: 'a'; can't understand 'a'" },
    { text: "a=b=c", message: "invalid field selector: unescaped character in value: 61" },
    { text: "a=\\x", message: "invalid field selector: invalid escape sequence: \\x" },
  ])("refuses $text", ({ text, message }) => {
    expect(() => parseFieldSelector(text)).toThrow(message);
  });

  it("matches and finds exact values", () => {
    const selector = parseFieldSelector("metadata.name=web,status.phase!=Failed");
    const fields = new Map([["metadata.name", "web"]]);
    expect(selector.matches((path) => fields.get(path) ?? "")).toBe(true);
    expect(selector.exact("metadata.name")).toBe("web");
    expect(selector.exact("status.phase")).toBeUndefined();
    expect(parseFieldSelector(`a=${escapeFieldValue("x,=\\")}`).exact("a")).toBe("x,=\\");
  });
});
