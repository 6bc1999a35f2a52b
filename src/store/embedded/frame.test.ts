import { expect, test } from "vitest";
import { decodeFrame, encodeFrame, frameKinds } from "./frame.js";

test("a frame is read as it was written", () => {
  const fields = { durable: 6, a: 2 ** 53 - 1, b: 5, c: 7 };
  const bytes = Buffer.concat([Buffer.from("xx"), ...encodeFrame(frameKinds.put, fields, "/ü", Buffer.from("value"))]);
  const frame = decodeFrame(bytes, 2);
  expect(frame).toMatchObject({ kind: frameKinds.put, fields, key: "/ü", length: bytes.length - 2 });
  const start = 2 + (frame?.valueOffset ?? 0);
  expect(String(bytes.subarray(start, start + (frame?.valueLength ?? 0)))).toBe("value");
});

test("no frame that is cut short or changed in any bit is taken for sound", () => {
  const bytes = Buffer.concat(encodeFrame(frameKinds.delete, { durable: 1, a: 2 }, "/key", Buffer.alloc(0)));
  for (let length = 0; length < bytes.length; length++) {
    expect(decodeFrame(bytes.subarray(0, length), 0)).toBeUndefined();
  }
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const changed = Buffer.from(bytes);
    changed.writeUInt8(changed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
    expect(decodeFrame(changed, 0)).toBeUndefined();
  }
});
