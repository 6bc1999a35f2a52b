import { expect, test } from "vitest";
import { IpPool } from "./ip-pool.js";

test("addresses are distinct, late reused, and end", () => {
  const pool = new IpPool("127.9.1.0/29");
  const given = [pool.allocate(), pool.allocate(), pool.allocate(), pool.allocate(), pool.allocate()];
  expect(given).toEqual(["127.9.1.2", "127.9.1.3", "127.9.1.4", "127.9.1.5", "127.9.1.6"]);
  expect(() => pool.allocate()).toThrow("no free address in 127.9.1.0/29");
  pool.release("127.9.1.4");
  expect(pool.allocate()).toBe("127.9.1.4");
});

test("a released address is not given out again at once", () => {
  const pool = new IpPool("10.1.0.0/24");
  const first = pool.allocate();
  pool.release(first);
  expect(pool.allocate()).not.toBe(first);
});

test("addresses of IPv6 too", () => {
  const pool = new IpPool("fd00:1::/64");
  expect(pool.reserve("FD00:1:0::2")).toBe(true);
  expect(pool.reserve("10.1.0.2")).toBe(false);
  expect([pool.allocate(), pool.allocate()]).toEqual(["fd00:1::3", "fd00:1::4"]);
});

test("reserved addresses are skipped; those of other ranges are refused", () => {
  const pool = new IpPool("10.1.0.0/24");
  expect(pool.reserve("10.1.0.2")).toBe(true);
  expect(pool.reserve("10.2.0.2")).toBe(false);
  expect(pool.allocate()).toBe("10.1.0.3");
});

test.each(["10.1.0.0", "10.1.0.0/31", "300.1.0.0/24", "fd00::/48"])("%s is no pod range", (cidr) => {
  expect(() => new IpPool(cidr)).toThrow("is not a network");
});
