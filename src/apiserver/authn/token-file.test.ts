import { expect, test } from "vitest";
import { parseTokenFile } from "./token-file.js";

test("a token file says whose tokens are", () => {
  const warnings: string[] = [];
  const text = [
    "token1,user1,uid1",
    'token2,user2,uid2,"group1,group2"',
    "",
    "token3,user3,uid3,group3,more",
    'token4, "user ""4""",uid4,',
    ",nobody,uid",
    "token1,again,uid9\r\n",
  ].join("\n");
  expect([...parseTokenFile(text, (message) => warnings.push(message))]).toEqual([
    ["token1", { username: "again", uid: "uid9", groups: [] }],
    ["token2", { username: "user2", uid: "uid2", groups: ["group1", "group2"] }],
    ["token3", { username: "user3", uid: "uid3", groups: ["group3"] }],
    ["token4", { username: 'user "4"', uid: "uid4", groups: [] }],
  ]);
  expect(warnings).toEqual([
    "empty token has been found in token file, record 5",
    "duplicate token has been found in token file, record 6",
  ]);
});

test.each([
  ["two columns", "token,user", "token file must have at least 3 columns (token, user name, user uid), found 2"],
  ["a quote that does not end", 'token,"user,uid', "a quote in record 1 is out of place"],
  ["a quote within a field", 'token,us"er,uid', "a quote in record 1 is out of place"],
])("a token file with %s is refused", (_, text, message) => {
  expect(() => parseTokenFile(text)).toThrow(message);
});

test("an empty token file has none", () => {
  expect(parseTokenFile("").size).toBe(0);
});
