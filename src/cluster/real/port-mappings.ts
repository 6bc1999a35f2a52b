import { attempt } from "./command.js";

/**
 * Removes the host ports that the portmap plugin gave to pods of networks whose names begin with `prefix`. It writes the network's name into
 * each rule's comment; what the rules jump to is theirs alone.
 */
export async function removePortMappings(prefix: string): Promise<void> {
  for (const program of ["iptables", "ip6tables"]) {
    const rules = await attempt([`${program}-save`, "-t", "nat"]);
    const { deletions, chains } = mappingsOf(rules ?? "", prefix);
    for (const words of deletions) await attempt([program, "-t", "nat", ...words]);
    for (const chain of chains) {
      await attempt([program, "-t", "nat", "-F", chain]);
      await attempt([program, "-t", "nat", "-X", chain]);
    }
  }
}

export interface PortMappings {
  /** Arguments that delete a rule each. */
  readonly deletions: readonly (readonly string[])[];
  readonly chains: readonly string[];
}

/** Of the output of iptables-save. */
export function mappingsOf(rules: string, prefix: string): PortMappings {
  const deletions: string[][] = [];
  const chains = new Set<string>();
  for (const line of rules.split("\n")) {
    const words = wordsOf(line);
    if (words[0] !== "-A" || !words.some((word) => word.includes(`name: "${prefix}-`))) continue;
    deletions.push(["-D", ...words.slice(1)]);
    const target = words[words.indexOf("-j") + 1] ?? "";
    if (target.startsWith("CNI-DN-")) chains.add(target);
  }
  return { deletions, chains: [...chains] };
}

/** Words are separated by spaces; what is in quotes is one, and a backslash there keeps the quote after it. */
function wordsOf(line: string): string[] {
  return [...line.matchAll(/"((?:[^"\\]|\\.)*)"|\S+/g)].map(([word, quoted]) =>
    quoted === undefined ? word : quoted.replace(/\\(.)/g, "$1"),
  );
}
