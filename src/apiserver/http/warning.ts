/** Longer warnings are cut, so that all headers together stay below what clients take. */
const maxWarningLength = 256;

/** A `Warning` header's value: code 299, no agent, the text quoted and free of control characters. */
export function formatWarning(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they would end the header
  let clean = text.replace(/[\u0000-\u001f\u007f]+/g, " ");
  if (clean.length > maxWarningLength) clean = clean.slice(0, maxWarningLength);
  return `299 - "${latin1(clean).replace(/[\\"]/g, "\\$&")}"`;
}

/** Headers carry bytes: other characters go as their UTF-8 bytes, as Go's clients read them. */
function latin1(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the range of ASCII
  return /^[\u0000-\u007f]*$/.test(text) ? text : Buffer.from(text, "utf8").toString("latin1");
}
