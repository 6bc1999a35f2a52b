import { expect, test } from "vitest";
import { MessageWriter, readMessage } from "./protobuf.js";

test.each([1, 127, 128, 300, 2 ** 31, 2 ** 32 + 5, Number.MAX_SAFE_INTEGER])("the integer %d survives", (number) => {
  const seen: unknown[] = [];
  const message = new MessageWriter().integer(3, number).integer(11, BigInt(number)).finish();
  readMessage(message, { integer: (field, value) => seen.push([field, value]) });
  expect(seen).toEqual([
    [3, number],
    [11, number],
  ]);
});

test("bytes and messages are as protobuf has them; empty fields are left out, empty messages are not", () => {
  const inner = new MessageWriter().bytes(1, Buffer.from("key")).finish();
  expect(inner.toString("hex")).toBe("0a036b6579");
  const outer = new MessageWriter()
    .message(2, inner)
    .bytes(5, Buffer.alloc(0))
    .integer(6, 0)
    .message(7, Buffer.alloc(0));
  expect(outer.finish().toString("hex")).toBe("12050a036b65793a00");
  expect(() => readMessage(Buffer.from("0aff", "hex"), {})).toThrow();
});
