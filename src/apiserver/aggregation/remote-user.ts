import type { UserInfo } from "../../api/index.js";

/**
 * Who asks, in the headers that a front proxy tells a server behind it. Names of extra fields are escaped as header names need it; values are
 * sent as UTF-8.
 */
export function remoteUserHeaders(user: UserInfo): Record<string, string | readonly string[]> {
  const headers: Record<string, string | readonly string[]> = { "X-Remote-User": utf8(user.username) };
  if (user.uid !== undefined && user.uid !== "") headers["X-Remote-Uid"] = utf8(user.uid);
  if (user.groups.length > 0) headers["X-Remote-Group"] = user.groups.map(utf8);
  for (const [key, values] of Object.entries(user.extra ?? {})) {
    if (values.length > 0) headers[`X-Remote-Extra-${escapeKey(key)}`] = values.map(utf8);
  }
  return headers;
}

/** Node writes each character of a header as one byte. */
function utf8(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}

/** Every byte that no header name may have, and the percent sign itself. */
function escapeKey(key: string): string {
  return utf8(key).replace(/[^!#$&'*+\-.^_`|~0-9A-Za-z]/g, (character) => {
    return `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`;
  });
}
