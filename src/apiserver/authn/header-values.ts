import type { IncomingHttpHeaders } from "node:http";

export interface ReceivedHeaders {
  readonly headers: IncomingHttpHeaders;
  /** As they came: names and values in turn. */
  readonly rawHeaders?: readonly string[] | undefined;
}

/**
 * The values of a header, one for each time that it was sent, as UTF-8. Node joins repeated headers with commas, which names of groups may have
 * themselves: taken apart there, one group would become two that nobody gave. Without the raw headers a value is taken as one.
 */
export function headerValues({ headers, rawHeaders }: ReceivedHeaders, name: string): readonly string[] {
  if (rawHeaders === undefined) {
    const value = headers[name];
    return value === undefined ? [] : Array.isArray(value) ? value : [value];
  }
  // What an earlier authenticator took away is gone.
  if (headers[name] === undefined) return [];
  const values: string[] = [];
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    if (rawHeaders[at]?.toLowerCase() === name) values.push(utf8(rawHeaders[at + 1] ?? ""));
  }
  return values;
}

/** Node reads each byte of a header as one character. */
function utf8(text: string): string {
  return Buffer.from(text, "latin1").toString("utf8");
}
