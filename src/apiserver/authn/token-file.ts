import { ConfigurationError } from "../../api/configuration-shape.js";
import type { UserInfo } from "../../api/index.js";

/**
 * The tokens of upstream's `--token-auth-file`: lines of `token,user,uid` and, when there are groups, `"group1,group2"` behind them, in CSV.
 * Lines without a token are passed over, and of a token that comes twice the last line counts, which `warn` is told. Throws
 * ConfigurationError.
 */
export function parseTokenFile(
  text: string,
  warn: (message: string) => void = () => {},
): ReadonlyMap<string, UserInfo> {
  const tokens = new Map<string, UserInfo>();
  for (const [index, columns] of csvRecords(text).entries()) {
    if (columns.length < 3) {
      const needs = "token file must have at least 3 columns (token, user name, user uid)";
      throw new ConfigurationError(`${needs}, found ${columns.length} in record ${index + 1}`);
    }
    const [token = "", username = "", uid = "", groups = ""] = columns;
    if (token === "") {
      warn(`empty token has been found in token file, record ${index + 1}`);
      continue;
    }
    if (tokens.has(token)) warn(`duplicate token has been found in token file, record ${index + 1}`);
    tokens.set(token, { username, uid, groups: groups === "" ? [] : groups.split(",") });
  }
  return tokens;
}

/** As RFC 4180 has it, with spaces before fields left out. Empty lines are none. */
function csvRecords(text: string): readonly (readonly string[])[] {
  const records: string[][] = [];
  let record: string[] = [];
  const field = /[ \t]*(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/y;
  while (field.lastIndex < text.length) {
    const match = field.exec(text);
    if (match === null)
      throw new ConfigurationError(`token file: a quote in record ${records.length + 1} is out of place`);
    const [, quoted, plain = "", end = ""] = match;
    record.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    if (end === ",") {
      if (field.lastIndex === text.length) record.push("");
      else continue;
    }
    if (record.length > 1 || record[0] !== "" || quoted !== undefined) records.push(record);
    record = [];
  }
  return records;
}
