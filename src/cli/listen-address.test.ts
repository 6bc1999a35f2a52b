import { expect, test } from "vitest";
import { parseListenAddress } from "./listen-address.js";

test.each([
  { text: "127.0.0.1:10249", is: { host: "127.0.0.1", port: 10_249 } },
  { text: "[::]:0", is: { host: "::", port: 0 } },
])("$text is an address", ({ text, is }) => {
  expect(parseListenAddress(text)).toEqual(is);
});

test.each(["", ":80", "localhost:80", "127.0.0.1", "::1:80", "[127.0.0.1]:80", "127.0.0.1:65536", "127.0.0.1:x"])(
  "%s is none",
  (text) => {
    expect(() => parseListenAddress(text)).toThrow(/expected an address and a port/);
  },
);
