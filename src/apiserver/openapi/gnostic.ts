import { ProtobufWriter } from "./protobuf-writer.js";
import type { Fragment } from "./types.js";

// The protobuf form of `/openapi/v2`, which kubectl before 1.29 asks for and takes nothing else. The field numbers are those of
// gnostic's openapi.v2 package.

/** Writes one value of a document. */
type Rule = (writer: ProtobufWriter, value: unknown) => void;
/** By key; `x-` is for all extensions. Keys that are not there cannot be said in this form. */
type Rules = ReadonlyMap<string, Rule>;

const string =
  (field: number): Rule =>
  (writer, value) => {
    if (typeof value === "string") writer.string(field, value);
  };
const bool =
  (field: number): Rule =>
  (writer, value) => {
    if (typeof value === "boolean") writer.bool(field, value);
  };
const integer =
  (field: number): Rule =>
  (writer, value) => {
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) writer.integer(field, value);
  };
const double =
  (field: number): Rule =>
  (writer, value) => {
    if (typeof value === "number") writer.double(field, value);
  };
/** Any value, as YAML: JSON is that too. */
const any = (field: number): Rule => inside(field, (writer, value) => writer.string(2, `${JSON.stringify(value)}\n`));

/** A message with that one thing in it. */
function inside(field: number, rule: Rule): Rule {
  return (writer, value) => writer.message(field, () => rule(writer, value));
}

function each(rule: Rule): Rule {
  return (writer, value) => {
    if (Array.isArray(value)) for (const item of value) rule(writer, item);
  };
}

/** A map is a list of names and values. */
function entries(field: number, rule: Rule): Rule {
  return (writer, value) => {
    for (const [key, inner] of Object.entries(asFragment(value))) {
      writer.message(field, () => {
        writer.string(1, key);
        rule(writer, inner);
      });
    }
  };
}

/** The fields of an object. The rules are looked up late, because schemas contain schemas. */
function object(rules: () => Rules): Rule {
  return (writer, value) => {
    const known = rules();
    for (const [key, inner] of Object.entries(asFragment(value))) {
      const rule = known.get(key);
      if (rule !== undefined) rule(writer, inner);
      else if (key.startsWith("x-")) known.get("x-")?.(writer, [key, inner]);
    }
  };
}

function extensions(field: number): Rule {
  return (writer, value) => {
    if (!Array.isArray(value)) return;
    const [key, inner] = value;
    entries(field, any(2))(writer, { [String(key)]: inner });
  };
}

function asFragment(value: unknown): Fragment {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value))
    : {};
}

const schema: Rule = object(() => schemaRules);

const schemaRules: Rules = new Map([
  ["$ref", string(1)],
  ["format", string(2)],
  ["title", string(3)],
  ["description", string(4)],
  ["default", any(5)],
  ["multipleOf", double(6)],
  ["maximum", double(7)],
  ["exclusiveMaximum", bool(8)],
  ["minimum", double(9)],
  ["exclusiveMinimum", bool(10)],
  ["maxLength", integer(11)],
  ["minLength", integer(12)],
  ["pattern", string(13)],
  ["maxItems", integer(14)],
  ["minItems", integer(15)],
  ["uniqueItems", bool(16)],
  ["maxProperties", integer(17)],
  ["minProperties", integer(18)],
  ["required", each(string(19))],
  ["enum", each(any(20))],
  [
    "additionalProperties",
    inside(21, (writer, value) =>
      typeof value === "boolean" ? writer.bool(2, value) : inside(1, schema)(writer, value),
    ),
  ],
  ["type", inside(22, string(1))],
  ["items", inside(23, inside(1, schema))],
  ["properties", inside(25, entries(1, inside(2, schema)))],
  ["x-", extensions(31)],
]);

const bodyParameter: Rules = new Map([
  ["description", string(1)],
  ["name", string(2)],
  ["in", string(3)],
  ["required", bool(4)],
  ["schema", inside(5, schema)],
]);

const queryParameter: Rules = new Map([
  ["required", bool(1)],
  ["in", string(2)],
  ["description", string(3)],
  ["name", string(4)],
  ["type", string(6)],
  ["uniqueItems", bool(20)],
]);

const pathParameter: Rules = new Map([...queryParameter, ["type", string(5)], ["uniqueItems", bool(19)]]);

const parameter: Rule = (writer, value) => {
  const place = asFragment(value)["in"];
  if (place === "body")
    return inside(
      1,
      object(() => bodyParameter),
    )(writer, value);
  const rule =
    place === "path"
      ? inside(
          4,
          object(() => pathParameter),
        )
      : inside(
          3,
          object(() => queryParameter),
        );
  inside(2, rule)(writer, value);
};

const response: Rules = new Map([
  ["description", string(1)],
  ["schema", inside(2, inside(1, schema))],
]);

const operation: Rules = new Map([
  ["tags", each(string(1))],
  ["description", string(3)],
  ["operationId", string(5)],
  ["produces", each(string(6))],
  ["consumes", each(string(7))],
  ["parameters", each(inside(8, inside(1, parameter)))],
  [
    "responses",
    inside(
      9,
      entries(
        1,
        inside(
          2,
          inside(
            1,
            object(() => response),
          ),
        ),
      ),
    ),
  ],
  ["schemes", each(string(10))],
  ["x-", extensions(13)],
]);

const anOperation: Rule = object(() => operation);

const pathItem: Rules = new Map([
  ["get", inside(2, anOperation)],
  ["put", inside(3, anOperation)],
  ["post", inside(4, anOperation)],
  ["delete", inside(5, anOperation)],
  ["patch", inside(8, anOperation)],
  ["parameters", each(inside(9, inside(1, parameter)))],
  ["x-", extensions(10)],
]);

const info: Rules = new Map([
  ["title", string(1)],
  ["version", string(2)],
]);

const apiKey: Rules = new Map([
  ["type", string(1)],
  ["name", string(2)],
  ["in", string(3)],
  ["description", string(4)],
]);

const document: Rules = new Map([
  ["swagger", string(1)],
  [
    "info",
    inside(
      2,
      object(() => info),
    ),
  ],
  [
    "paths",
    inside(
      8,
      entries(
        2,
        inside(
          2,
          object(() => pathItem),
        ),
      ),
    ),
  ],
  ["definitions", inside(9, entries(1, inside(2, schema)))],
  ["security", each(inside(12, entries(1, inside(2, each(string(1))))))],
  [
    "securityDefinitions",
    inside(
      13,
      entries(
        1,
        inside(
          2,
          inside(
            2,
            object(() => apiKey),
          ),
        ),
      ),
    ),
  ],
]);

/** A Swagger 2 document as openapi.v2.Document. */
export function encodeDocument(swagger: Fragment): Buffer {
  const writer = new ProtobufWriter();
  object(() => document)(writer, swagger);
  return writer.finish();
}
