/** What Go's decoder says of a value that is of another type than the whole that was wanted. */
export function goUnmarshalError(value: unknown, wanted: string): string {
  const given = Array.isArray(value)
    ? "array"
    : typeof value === "boolean"
      ? "bool"
      : typeof value === "number" || typeof value === "string"
        ? typeof value
        : "object";
  return `json: cannot unmarshal ${given} into Go value of type ${wanted}`;
}

/** The beginning of a body as errors show it: as text when it looks like JSON, in hexadecimal otherwise. */
export function summarize(body: Uint8Array): string {
  if (body.length === 0) return "<empty>";
  const more = body.length > maxSummary ? " ..." : "";
  return Buffer.from(body.subarray(0, maxSummary)).toString(body[0] === 0x7b ? "utf8" : "hex") + more;
}

const maxSummary = 30;
