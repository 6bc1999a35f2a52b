import { expect, test } from "vitest";
import { HeaderCodec, headerDictionary } from "./headers.js";

test("the dictionary is that of SPDY/3: its checksum is what every client sends", () => {
  let [a, b] = [1, 0];
  for (const byte of headerDictionary()) {
    a = (a + byte) % 65521;
    b = (b + a) % 65521;
  }
  expect(((b * 65536 + a) >>> 0).toString(16)).toBe("e3c6a7c2");
});

test("header blocks go through both ways, one after the other", async () => {
  const [sender, receiver] = [new HeaderCodec(), new HeaderCodec()];
  for (const value of ["stdin", "stdout", "x".repeat(10_000)]) {
    const headers = new Map([["streamtype", value]]);
    expect(await receiver.decode(await sender.encode(headers))).toEqual(headers);
  }
  sender.close();
  receiver.close();
});
