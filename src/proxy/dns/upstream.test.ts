import { expect, test } from "vitest";
import { parseUpstream } from "./upstream.js";

test.each<readonly [text: string, address: string, port: number]>([
  ["192.0.2.1", "192.0.2.1", 53],
  ["192.0.2.1:5353", "192.0.2.1", 5353],
  ["2001:db8::1", "2001:db8::1", 53],
  ["[2001:db8::1]", "2001:db8::1", 53],
  ["[2001:db8::1]:5353", "2001:db8::1", 5353],
  ["[fe80::1%eth0]:53", "fe80::1%eth0", 53],
])("%s is a resolver", (text, address, port) => {
  expect(parseUpstream(text)).toEqual({ address, port });
});

test.each(["", "dns.example", "192.0.2.1:0", "192.0.2.1:70000", "192.0.2.256", "192.0.2.1:", "[::1"])(
  "%s is none",
  (text) => {
    expect(() => parseUpstream(text)).toThrow(RangeError);
  },
);
