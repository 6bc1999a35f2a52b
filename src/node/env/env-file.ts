/** The most that is read of a file of variables. */
export const maxEnvFileBytes: number = 64 * 1024;

/** One variable, and what may follow it in its line. Its value may have several lines. */
const variable = /[ \t]*([^=\s#'][^=\n]*)='([^']*)'[ \t]*(?:#[^\n]*)?(?:\n|$)/y;
const nothing = /[ \t\r]*(?:#[^\n]*)?(?:\n|$)/y;

/**
 * The variables of a file as the kubelet reads it: `NAME='value'`, where what is between the quotes is taken as it is; empty lines and those that
 * begin with `#` are passed over. Throws at anything else.
 */
export function parseEnvFile(text: string): Map<string, string> {
  const found = new Map<string, string>();
  for (let at = 0; at < text.length; ) {
    nothing.lastIndex = at;
    if (nothing.test(text)) {
      at = nothing.lastIndex;
      continue;
    }
    variable.lastIndex = at;
    const [, name, value] = variable.exec(text) ?? [];
    if (name === undefined || value === undefined) {
      throw new Error(`line ${text.slice(0, at).split("\n").length} is not of the form NAME='value'`);
    }
    found.set(name, value);
    at = variable.lastIndex;
  }
  return found;
}
