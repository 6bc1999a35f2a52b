import { additionalOf, itemsOf, type JsonSchema, propertiesOf } from "../json-schema.js";

/** The largest body that a request can have. */
const maxRequestBytes = 3 * 1024 * 1024;
/** A character of a text may take so many bytes. */
const bytesPerCharacter = 4;

const quotes = 2;
const longestTime = 32;
const date = 12;
const shortestDateTime = 21;
const shortestDuration = 3;

/**
 * How big a value with a schema can be: the bytes of a text, the items of a list or map; by the limits that the schema sets, or else by what fits into
 * a request. Everything else has no size. The figures are upstream's.
 */
export function maxSize(schema: JsonSchema): number {
  if (schema["x-kubernetes-int-or-string"] === true) return textSize(schema);
  const items = itemsOf(schema);
  if (schema.type === "array" && items !== undefined) {
    return limit(schema.maxItems) ?? Math.floor((maxRequestBytes - 2) / (minBytes(items) + 1));
  }
  const values = schema.type === "object" ? additionalOf(schema) : undefined;
  if (values !== undefined) {
    return limit(schema.maxProperties) ?? Math.floor((maxRequestBytes - 2) / (minBytes(values) + 6));
  }
  return schema.type === "string" ? textSize(schema) : 0;
}

function textSize({ format, maxLength, enum: choices = [] }: JsonSchema): number {
  if (format === "duration" || format === "date-time") return longestTime;
  if (format === "date") return date;
  const longest = limit(maxLength);
  if (longest !== undefined) return format === "byte" ? longest : longest * bytesPerCharacter;
  if (choices.length === 0) return maxRequestBytes - quotes;
  return Math.max(...choices.map((choice) => (typeof choice === "string" ? Buffer.byteLength(choice) : 0)));
}

function limit(given: number | undefined): number | undefined {
  return given === undefined ? undefined : Math.max(0, given);
}

/** How many values of a schema fit into a request. */
export function mostOf(schema: JsonSchema): number {
  return Math.floor(maxRequestBytes / (minBytes(schema) + 1));
}

/** The fewest bytes of JSON that a value takes. Required fields that have a default may be left out. */
function minBytes(schema: JsonSchema): number {
  if (schema["x-kubernetes-int-or-string"] === true) return 1;
  switch (schema.type) {
    case "string":
      return minTextBytes(schema.format);
    case "boolean":
      return 4;
    case "array":
      return 2;
    case "object": {
      if (additionalOf(schema) !== undefined) return 2;
      const properties = propertiesOf(schema);
      return (schema.required ?? []).reduce((size, name) => {
        const property = properties.get(name);
        return property === undefined || property.default !== undefined
          ? size
          : size + name.length + 4 + minBytes(property);
      }, 2);
    }
    default:
      return 1;
  }
}

function minTextBytes(format: string | undefined): number {
  switch (format) {
    case "duration":
      return shortestDuration;
    case "date":
      return date;
    case "date-time":
      return shortestDateTime;
    default:
      return quotes;
  }
}
