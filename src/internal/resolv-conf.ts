import { readFileSync } from "node:fs";

/** What a resolver is told by `resolv.conf`. */
export interface ResolvConf {
  readonly servers: readonly string[];
  /** Without trailing dots. */
  readonly searches: readonly string[];
  /** `ndots:5` */
  readonly options: readonly string[];
}

/** Reads the text of a `resolv.conf` as upstream's kubelet does: servers add up, of searches and options the last line counts. */
export function parseResolvConf(text: string): ResolvConf {
  const servers: string[] = [];
  let searches: readonly string[] = [];
  let options: readonly string[] = [];
  for (const line of text.split("\n")) {
    const [keyword = "", ...words] = line.trim().split(/\s+/);
    if (keyword === "nameserver" && words[0] !== undefined) servers.push(words[0]);
    // The root alone stays: it says that nothing is to be appended.
    if (keyword === "search") searches = words.map((word) => (word === "." ? word : word.replace(/\.$/, "")));
    if (keyword === "options") options = words;
  }
  return { servers, searches, options };
}

export function formatResolvConf({ servers, searches, options }: ResolvConf): string {
  const lines = servers.map((server) => `nameserver ${server}`);
  if (searches.length > 0) lines.push(`search ${searches.join(" ")}`);
  if (options.length > 0) lines.push(`options ${options.join(" ")}`);
  return lines.map((line) => `${line}\n`).join("");
}

/** The file's content; a host without it has no resolver. */
export function readResolvConf(path: string): ResolvConf {
  let text = "";
  try {
    text = readFileSync(path, "utf8");
  } catch {
    // None.
  }
  return parseResolvConf(text);
}
