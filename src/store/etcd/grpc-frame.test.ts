import { expect, test } from "vitest";
import { FrameSplitter, frame } from "./grpc-frame.js";

test("messages come out whole, however the bytes are cut", () => {
  const texts = ["one", "", "a longer message", "x".repeat(300)];
  const bytes = Buffer.concat(texts.map((text) => frame(Buffer.from(text))));
  for (let size = 1; size <= bytes.length; size++) {
    const splitter = new FrameSplitter();
    const found: string[] = [];
    for (let at = 0; at < bytes.length; at += size) {
      found.push(...splitter.push(bytes.subarray(at, at + size)).map(String));
    }
    expect(found).toEqual(texts);
  }
});
