import { expect, test } from "vitest";
import { formatResolvConf, parseResolvConf } from "./resolv-conf.js";

const none = { servers: [], searches: [], options: [] };

test.each<readonly [name: string, text: string, expected: object]>([
  ["nothing", "", none],
  ["comments", "# nameserver 1.1.1.1\n; search x\n", none],
  ["servers add up", "nameserver 1.1.1.1\n\tnameserver  2.2.2.2 ignored\n", { servers: ["1.1.1.1", "2.2.2.2"] }],
  ["the last search counts", "search a.b\nsearch c.d. e.f\n", { searches: ["c.d", "e.f"] }],
  ["the root stays", "search .\n", { searches: ["."] }],
  ["the last options count", "options ndots:5\noptions timeout:2 rotate", { options: ["timeout:2", "rotate"] }],
  ["a server without an address", "nameserver\n", none],
])("parseResolvConf: %s", (_, text, expected) => {
  expect(parseResolvConf(text)).toEqual({ ...none, ...expected });
});

test("what is written is read the same", () => {
  const conf = { servers: ["1.1.1.1", "::1"], searches: ["a.b", "c.d"], options: ["ndots:5", "rotate"] };
  expect(parseResolvConf(formatResolvConf(conf))).toEqual(conf);
  expect(formatResolvConf({ servers: [], searches: [], options: [] })).toBe("");
});
