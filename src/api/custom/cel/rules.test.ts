import { describe, expect, it } from "vitest";
import type { ValidationRule } from "../../gen/types.js";
import type { JsonObject } from "../../object.js";
import { CustomSchema } from "../custom-schema.js";
import type { JsonSchema } from "../json-schema.js";
import { escapeFieldName } from "./names.js";
import { compileRules } from "./rules.js";

const text: JsonSchema = { type: "string" };
const integer: JsonSchema = { type: "integer" };

const properties: { readonly [name: string]: JsonSchema } = {
  name: text,
  size: integer,
  ratio: { type: "number" },
  on: { type: "boolean" },
  port: { "x-kubernetes-int-or-string": true },
  when: { type: "string", format: "date-time" },
  wait: { type: "string", format: "duration" },
  words: { type: "array", items: { type: "string", maxLength: 50 }, maxItems: 50 },
  sizes: { type: "array", items: integer, maxItems: 50 },
  labels: { type: "object", additionalProperties: { type: "string", maxLength: 50 }, maxProperties: 50 },
  inner: { type: "object", properties: { a: integer } },
  "x-prop.y": text,
  namespace: text,
  free: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
  any: { "x-kubernetes-preserve-unknown-fields": true },
  objects: { type: "array", items: { type: "object", properties: { a: integer } }, maxItems: 5 },
  many: { type: "array", items: integer, maxItems: 2000 },
};

function schemaOf(rules: readonly ValidationRule[], more: JsonSchema = {}): JsonSchema {
  const spec = { type: "object", properties, "x-kubernetes-validations": rules, ...more };
  return { type: "object", properties: { spec } };
}

const object = (spec: object): JsonObject => ({ metadata: { name: "x" }, spec });

function judge(rules: readonly ValidationRule[], spec: object, old?: object): readonly string[] {
  const errors = new CustomSchema(schemaOf(rules)).validate(object(spec), old && object(old));
  return errors.map(({ path, message }) => `${path}: ${message}`);
}

const value = {
  name: "abc",
  size: 3,
  ratio: 0.5,
  on: true,
  port: 80,
  when: "2026-01-02T03:04:05Z",
  wait: "1h30m",
  words: ["a", "b", "c"],
  sizes: [1, 2, 3],
  labels: { a: "1", b: "2" },
  inner: { a: 1 },
  "x-prop.y": "z",
  namespace: "ns",
  free: { any: { thing: [1, "two"] } },
  objects: [{ a: 1 }, {}],
};

describe("rules that hold", () => {
  it.each([
    "self.size == 3 && self.size > 2.5",
    "self.sizes.all(i, v, v == i + 1) && self.sizes.exists(i, v, i == 2 && v == 3) && self.words.existsOne(i, w, i == 1 && w == 'b')",
    "self.labels.all(k, v, k in ['a', 'b'] && v != '') && !self.labels.exists(k, v, k == v)",
    "self.sizes.transformList(i, v, i * v) == [0, 2, 6] && self.sizes.transformList(i, v, i > 0, v) == [2, 3]",
    "self.labels.transformMap(k, v, k + v)['a'] == 'a1' && self.labels.transformMap(k, v, k == 'b', v).size() == 1",
    "self.labels.transformMapEntry(k, v, {v: k})['2'] == 'b'",
    "self.sizes.all(i, v, self.words.exists(j, w, j == i && w != ''))",
    "semver('1.2.3').major() == 1 && semver('1.2.3').minor() == 2 && semver('1.2.3').patch() == 3",
    "semver('1.0.0-alpha.2').isLessThan(semver('1.0.0-alpha.10')) && semver('1.0.0').isGreaterThan(semver('1.0.0-rc.1'))",
    "semver('1.0.0-1').isLessThan(semver('1.0.0-a')) && semver('1.0.0-a').isLessThan(semver('1.0.0-a.b'))",
    "semver('1.0.0+x').compareTo(semver('1.0.0+y')) == 0 && semver('1.0.0+x') == semver('1.0.0')",
    "isSemver('1.0.0') && !isSemver('1.0') && !isSemver('v1.0.0') && !isSemver('01.0.0') && !isSemver('1.0.0-01')",
    "isSemver('v1.0', true) && semver('v01.1', true).compareTo(semver('1.1.0')) == 0",
    "self.ratio * 2.0 == 1.0",
    "self.on ? self.name == 'abc' : false",
    "type(self.port) == int ? self.port == 80 : self.port == '80'",
    "self.when > timestamp('2026-01-01T00:00:00Z') && self.when.getFullYear() == 2026",
    "self.wait == duration('90m')",
    "self.words.all(w, w.size() == 1) && self.words.exists(w, w == 'b') && self.words.exists_one(w, w == 'c')",
    "self.words.map(w, w + '!') == ['a!', 'b!', 'c!'] && self.words.filter(w, w != 'b').size() == 2",
    "self.labels.all(k, self.labels[k] in ['1', '2']) && 'a' in self.labels && !('c' in self.labels)",
    "self.x__dash__prop__dot__y == 'z' && self.__namespace__ == 'ns'",
    "self.free == self.free && has(self.objects[0].a) && !has(self.objects[1].a)",
    "has(self.inner) && self.inner.a == 1 && !has(self.ratio) == false",
    "self.inner == self.inner && [self.inner] == [self.inner]",
    "self.sizes.isSorted() && self.sizes.sum() == 6 && self.sizes.min() == 1 && self.sizes.max() == 3",
    "self.words.indexOf('b') == 1 && self.words.lastIndexOf('z') == -1",
    "self.name.matches('^[a-c]+$') && 'a1b22'.find('[0-9]+') == '1' && 'a1b22'.findAll('[0-9]+') == ['1', '22']",
    "'%s has %d of %.1f'.format([dyn(self.name), self.size, self.ratio]) == 'abc has 3 of 0.5'",
    "'a,b'.split(',') == ['a', 'b'] && ['a', 'b'].join('-') == 'a-b' && 'aXa'.replace('a', 'b') == 'bXb'",
    "quantity('1.5Gi').isGreaterThan(quantity('1500Mi')) && quantity('2').add(1) == quantity('3')",
    "quantity('500m').isLessThan(quantity('1')) && !isQuantity('1x') && quantity('50k').asInteger() == 50000",
    "url('https://user@example.com:8443/a%20b?x=1&x=2').getHost() == 'example.com:8443'",
    "url('https://example.com:8443/a?x=1').getPort() == '8443' && url('/a/b').getEscapedPath() == '/a/b'",
    "url('https://example.com/?x=1&x=2').getQuery()['x'] == ['1', '2'] && isURL('/a') && !isURL('a b')",
    "ip('::1').isLoopback() && ip.isCanonical('::1') && !ip.isCanonical('::0001') && !isIP('1.2.3.400')",
    "cidr('10.0.0.0/8').containsIP('10.1.2.3') && cidr('10.0.0.0/8').containsCIDR('10.1.0.0/16')",
    "cidr('10.1.2.3/8').masked() == cidr('10.0.0.0/8') && isCIDR('10.0.0.0/8') && !isCIDR('10.0.0.0')",
    "sets.contains([1, 2], [1]) && sets.equivalent([1, 2], [2, 1]) && !sets.intersects([1], [2])",
    "format.dns1123Label().validate('abc') == [] && format.dns1123Label().validate('A b').size() > 0",
    "self.objects[?9].?a.orValue(7) == 7 && self.objects[?0].?a.orValue(7) == 1",
    "has([{'a': 1}][0].a) && !has([{'a': 1}][0].b)",
    "has(self.?inner.a) && has(self.objects[?0].a) && !has(self.objects[?1].a) && !has(self.objects[?9].a)",
    "[3, 1, 2].sort() == [1, 2, 3] && ['b', 'a'].sort() == ['a', 'b'] && [true, false].sort() == [false, true]",
    "self.words.sortBy(w, w == 'b' ? '' : w) == ['b', 'a', 'c'] && [{'n': 2}, {'n': 1}].sortBy(x, x.n)[0].n == 1",
    "[1, 2, 2, 1, 3].distinct() == [1, 2, 3] && [1, 2, 3].reverse() == [3, 2, 1] && lists.range(3) == [0, 1, 2]",
    "[1, 2, 3, 4].slice(1, 3) == [2, 3] && [[1], [2, 3]].flatten() == [1, 2, 3] && dyn([dyn(1), [2, 3]]).flatten(2) == [1, 2, 3]",
    "[1, 2].first() == optional.of(1) && [1, 2].last().value() == 2 && !self.words.filter(w, false).first().hasValue()",
    "optional.of(2).optMap(x, x * 2).value() == 4 && optional.of(2).optFlatMap(x, optional.of(x + 1)) == optional.of(3)",
    "!optional.ofNonZeroValue('').hasValue() && optional.ofNonZeroValue([1]).hasValue() && !self.words[?9].optMap(w, w + '!').hasValue()",
    "optional.unwrap([optional.of(1), optional.none(), optional.of(2)]) == [1, 2] && [optional.of(1)].unwrapOpt() == [1]",
    "strings.quote('a\"b\\n') == '\"a\\\\\"b\\\\n\"'",
    "optional.of(1).hasValue()",
    "[?self.objects[?0].?a, 2, ?self.objects[?1].?a] == [1, 2] && [?optional.none(), ?optional.of(7)].size() == 1",
    "{'x': 1, ?'y': optional.of(2), ?(true ? 'z' : 'w'): self.objects[?9].?a} == {'x': 1, 'y': 2}",
    "self.words.map(w, [?self.words[?7], w])[0] == ['a'] && [[?optional.of(1)].size()][0] == 1 && self.words[?0].orValue(',?') == 'a'",
  ])("%s", (rule) => {
    expect(compileRules(schemaOf([{ rule }]), "s").errors).toEqual([]);
    expect(judge([{ rule }], value)).toEqual([]);
  });
});

describe("rules that do not hold", () => {
  it("say what they are told to, where they are told to", () => {
    const rules: ValidationRule[] = [
      { rule: "self.size < 2" },
      { rule: "self.size < 2", message: " too big " },
      { rule: "self.size < 2", message: "fallback", messageExpression: "'size is ' + string(self.size)" },
      { rule: "self.size < 2", message: "fallback", messageExpression: "self.words[9]" },
      { rule: "self.size < 2", message: "no", fieldPath: ".inner.a", reason: "FieldValueForbidden" },
      { rule: "self.size < 2", message: "no", fieldPath: ".labels['k']", reason: "FieldValueRequired" },
      { rule: "self.words[9] == 'x'" },
      { rule: "self.labels['zz'] == 'x'" },
      { rule: "1 / (self.size - 3) == 1" },
    ];
    expect(judge(rules, value)).toEqual([
      'spec: Invalid value: "object": failed rule: self.size < 2',
      'spec: Invalid value: "object": too big',
      'spec: Invalid value: "object": size is 3',
      'spec: Invalid value: "object": fallback',
      "spec.inner.a: Forbidden: no",
      "spec.labels[k]: Required value: no",
      "spec: Invalid value: \"object\": index out of bounds: 9 evaluating rule: self.words[9] == 'x'",
      "spec: Invalid value: \"object\": no such key: zz evaluating rule: self.labels['zz'] == 'x'",
      'spec: Invalid value: "object": division by zero evaluating rule: 1 / (self.size - 3) == 1',
    ]);
  });

  it("see transitions only where there is an old value", () => {
    const grows = [{ rule: "self.size >= oldSelf.size", message: "shrinks" }];
    expect(judge(grows, value)).toEqual([]);
    expect(judge(grows, { ...value, size: 2 }, value)).toEqual(['spec: Invalid value: "object": shrinks']);
    const optional = [
      {
        rule: "oldSelf.hasValue() ? self.size >= oldSelf.value().size : self.size > 5",
        optionalOldSelf: true,
        message: "no",
      },
    ];
    expect(judge(optional, value)).toHaveLength(1);
    expect(judge(optional, { ...value, size: 4 }, value)).toEqual([]);
    expect(judge(optional, { ...value, size: 2 }, value)).toHaveLength(1);
  });

  it("see that something changed which nobody knows the type of", () => {
    const fixed = [{ rule: "self.free == oldSelf.free", message: "free is fixed" }];
    expect(judge(fixed, value, { ...value, size: 7 })).toEqual([]);
    expect(judge(fixed, value, { ...value, free: { any: 1 } })).toEqual([
      'spec: Invalid value: "object": free is fixed',
    ]);
  });

  it("are not held against what did not change", () => {
    const bad = [{ rule: "self.size < 2" }];
    expect(judge(bad, value, value)).toEqual([]);
    expect(judge(bad, { ...value, name: "other" }, value)).toHaveLength(1);
  });
});

describe("rules that do not compile", () => {
  it.each([
    ["self.nope == 1", "ERROR: <input>:1:5: undefined field 'nope'\n | self.nope == 1\n | ....^"],
    [
      "self.size + 'a' == 'b'",
      "ERROR: <input>:1:11: found no matching overload for '_+_' applied to '(int, string)'\n | self.size + 'a' == 'b'\n | ..........^",
    ],
    ["other == 1", "ERROR: <input>:1:1: undeclared reference to 'other' (in container '')\n | other == 1\n | ^"],
    [
      "other == 1 ||\nself.nope && foo(1)",
      "ERROR: <input>:1:1: undeclared reference to 'other' (in container '')\n | other == 1 ||\n | ^\nERROR: <input>:2:5: undefined field 'nope'\n | self.nope && foo(1)\n | ....^\nERROR: <input>:2:17: undeclared reference to 'foo' (in container '')\n | self.nope && foo(1)\n | ................^",
    ],
    [
      "self.name.startsWith(1)",
      "ERROR: <input>:1:21: found no matching overload for 'startsWith' applied to 'string.(int)'",
    ],
    ["self.name.matches(1)", "ERROR: <input>:1:18: found no matching overload for 'matches' applied to 'string.(int)'"],
    ["size(1) == 1", "ERROR: <input>:1:5: found no matching overload for 'size' applied to '(int)'"],
    ["self.name.nope()", "ERROR: <input>:1:15: undeclared reference to 'nope' (in container '')"],
    ["self.size && true", "ERROR: <input>:1:11: found no matching overload for '_&&_' applied to '(int, bool)'"],
    [
      "self.size ? true : false",
      "ERROR: <input>:1:11: found no matching overload for '_?_:_' applied to '(int, bool, bool)'",
    ],
    ["!self.size", "ERROR: <input>:1:1: found no matching overload for '!_' applied to '(int)'"],
    ["1 in self.words", "ERROR: <input>:1:3: found no matching overload for '@in' applied to '(int, list(string))'"],
    ["[1, 'a', 2] == []", "ERROR: <input>:1:5: expected type 'int' but found 'string'"],
    ["{'a': 1, 'b': true} == {}", "ERROR: <input>:1:15: expected type 'int' but found 'bool'"],
    [
      "self.size.all(x, true)",
      "expression of type 'int' cannot be range of a comprehension (must be list, map, or dynamic)",
    ],
    ["self.size.nope", "type 'int' does not support field selection"],
    [
      "self.wait == duration('1 h')",
      "ERROR: <input>:1:23: invalid duration argument\n | self.wait == duration('1 h')\n | ......................^",
    ],
    ["self.when == timestamp('now')", "ERROR: <input>:1:24: invalid timestamp argument"],
    ["self.name.matches('[a')", "ERROR: <input>:1:19: invalid matches argument"],
    ["[?1] == [1]", "expected type 'optional_type(int)' but found 'int'"],
    ["has(self)", "invalid argument to has() macro"],
    ["cel.bind(a, 1, a == 1)", "undeclared reference to 'cel' (in container '')"],
    ["self.name.reverse() == ''", "found no matching overload for 'reverse' applied to 'string.()'"],
    ["self.size", "cel expression must evaluate to a bool"],
    [
      "self.size ==",
      "ERROR: <input>:1:13: Syntax error: mismatched input '<EOF>' expecting {'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}",
    ],
    [`self.name == '${"a".repeat(70_000)}'`, "expression is too long"],
    [`${"(".repeat(500)}true${")".repeat(500)}`, "compilation failed"],
  ])("%.40s", (rule, message) => {
    const [error] = compileRules(schemaOf([{ rule, message: "no" }]), "s").errors;
    expect(error?.path).toBe("s.properties[spec].x-kubernetes-validations[0].rule");
    expect(error?.message).toContain(message);
  });

  it("cannot look at old values of what has no identity", () => {
    const items = { ...integer, "x-kubernetes-validations": [{ rule: "self == oldSelf" }] };
    const schema: JsonSchema = { type: "object", properties: { list: { type: "array", items } } };
    expect(compileRules(schema, "s").errors).toMatchObject([
      {
        path: "s.properties[list].items.x-kubernetes-validations[0].rule",
        message: expect.stringContaining(
          "oldSelf cannot be used on the uncorrelatable portion of the schema within s.properties[list]",
        ),
      },
    ]);
    const fields = {
      a: { ...integer, "x-kubernetes-validations": [{ rule: "self == oldSelf.orValue(1)", optionalOldSelf: true }] },
    };
    const atomic: JsonSchema = { type: "object", properties: fields, "x-kubernetes-map-type": "atomic" };
    expect(compileRules({ type: "object", properties: { atomic } }, "s").errors).toMatchObject([
      { message: expect.stringContaining("uncorrelatable portion of the schema within s.properties[atomic]") },
    ]);
  });

  it.each<[string, ValidationRule, string]>([
    ["no rule", { rule: " " }, "rule: Required value: rule is not specified"],
    [
      "an empty message",
      { rule: "true", message: " " },
      'message: Invalid value: " ": message must be non-empty if specified',
    ],
    [
      "a long message",
      { rule: "true", message: "a\nb" },
      'message: Invalid value: "a\\nb": message must not contain line breaks',
    ],
    [
      "lines without a message",
      { rule: "true\n&& true" },
      "message: Required value: message must be specified if rule contains line breaks",
    ],
    [
      "an empty expression",
      { rule: "true", messageExpression: " " },
      "messageExpression: Required value: messageExpression must be non-empty if specified",
    ],
    [
      "an expression of another type",
      { rule: "true", messageExpression: "1" },
      'messageExpression: Invalid value: {"rule":"true","messageExpression":"1"}: messageExpression must evaluate to a string',
    ],
    [
      "an unknown reason",
      { rule: "true", reason: "Nope" },
      'reason: Unsupported value: "Nope": supported values: "FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired"',
    ],
    [
      "a path to nowhere",
      { rule: "true", fieldPath: ".nope" },
      'fieldPath: Invalid value: ".nope": fieldPath must be a valid path',
    ],
    [
      "an empty path",
      { rule: "true", fieldPath: " " },
      'fieldPath: Invalid value: " ": fieldPath must be non-empty if specified',
    ],
    [
      "an old value that nobody looks at",
      { rule: "true", optionalOldSelf: true },
      "optionalOldSelf: Invalid value: true: may not be set if oldSelf is not used in rule",
    ],
  ])("say so with %s", (_, rule, error) => {
    const [first] = compileRules(schemaOf([rule]), "s").errors;
    expect(`${first?.path}: ${first?.message}`).toBe(`s.properties[spec].x-kubernetes-validations[0].${error}`);
  });

  it("cannot be about what has no type", () => {
    const any = { "x-kubernetes-preserve-unknown-fields": true, "x-kubernetes-validations": [{ rule: "true" }] };
    expect(compileRules({ type: "object", properties: { any } }, "s").errors).toEqual([
      {
        path: "s.properties[any].x-kubernetes-validations",
        reason: "InternalError",
        message:
          "Internal error: internal error: failed to construct type information for x-kubernetes-validations rules: unable to convert structural schema to CEL declarations",
      },
    ]);
  });

  it("are not compiled above others that are not even written as they must be", () => {
    const inner = { ...integer, "x-kubernetes-validations": [{ rule: "" }] };
    const errors = (properties: { readonly [name: string]: JsonSchema }): readonly string[] => {
      const schema = { type: "object", properties, "x-kubernetes-validations": [{ rule: "nope" }] };
      return compileRules(schema, "s").errors.map(({ path }) => path);
    };
    expect(errors({ inner })).toEqual(["s.properties[inner].x-kubernetes-validations[0].rule"]);
    expect(errors({ inner: integer })).toEqual(["s.x-kubernetes-validations[0].rule"]);
  });
});

describe("hostile rules", () => {
  // What such rules cost is said with the definition; another server may have let it in.
  const many = { ...value, many: Array.from({ length: 2_000 }, (_, index) => index) };
  const nested = "self.many.all(a, self.many.all(b, self.many.all(c, a + b + c >= 0)))";

  it.each([
    ["loops in loops", nested],
    [
      "loops whose errors are caught",
      "self.many.exists(a, self.many.exists(b, self.many.exists(c, 1 / 0 == 1 || a < 0)))",
    ],
    ["lists that grow", "self.many.map(a, self.many.map(b, self.many + self.many)).size() > 0"],
    [
      "texts that grow",
      "self.many.map(a, self.many.map(b, '%s'.format([self.words]) + 'aaaaaaaaaaaaaaaaaaaaaaaaaaa')).size() > 0",
    ],
    ["sets", "self.many.all(a, sets.contains(self.many, self.many))"],
    ["loops of two variables", "self.many.all(i, a, self.many.all(j, b, i + j >= 0))"],
    ["sums", "self.many.all(a, self.many.all(b, self.many.map(c, a).sum() >= 0))"],
    ["regular expressions", "self.many.all(a, self.many.all(b, self.words[0].matches('^(a+)+$') || true))"],
    ["quantities", "self.many.all(a, self.many.all(b, isQuantity(self.words[0]) || true))"],
    ["comparisons", "self.many.all(a, self.many.all(b, self.many == self.many))"],
  ])("%s end with the documented error", (_, rule) => {
    const schema = new CustomSchema(schemaOf([{ rule }, { rule: "true" }]), { objectCost: 200_000, ruleCost: 100_000 });
    const [error, ...more] = schema.validate(object(many));
    expect(error?.message).toContain("no further validation rules will be run due to call cost exceeds limit");
    expect(more).toEqual([]);
  });

  it("share one budget for an object", () => {
    const cheap = "self.many.all(a, a >= 0)";
    const schema = new CustomSchema(schemaOf(Array(50).fill({ rule: cheap })), {
      objectCost: 50_000,
      ruleCost: 20_000,
    });
    expect(schema.validate(object(many)).map(({ message }) => message)).toEqual([
      'Invalid value: "object": validation failed due to running out of cost budget, no further validation rules will be run',
    ]);
  });

  it("give others their turn between two of them", () => {
    const dear = "self.many.all(a, self.many.exists(b, a == b) || true)";
    const schema = new CustomSchema(schemaOf(Array(20).fill({ rule: dear })));
    const few = object({ ...value, many: Array.from({ length: 100 }, (_, index) => index) });
    const judging = schema.validateInSlices(few);
    let turns = 0;
    let step = judging.next();
    for (; step.done !== true; step = judging.next()) turns++;
    expect(step.value).toEqual([]);
    expect(turns).toBeGreaterThan(5);
  });

  it("give others their turn within one of them", () => {
    const dear = "self.many.all(a, self.many.exists(b, a == b) || true)";
    const schema = new CustomSchema(schemaOf([{ rule: dear }]));
    const some = object({ ...value, many: Array.from({ length: 300 }, (_, index) => index) });
    const turns = [...schema.validateInSlices(some)].length;
    expect(turns).toBeGreaterThan(10);
    expect(schema.validate(some)).toEqual([]);
  });

  it("find no prototype to climb", () => {
    for (const rule of [
      "self.free.constructor == 1",
      "self.free.any == 1",
      "self.any == 1",
      "self.any.thing == 1",
      "self.labels['constructor'] == ''",
    ]) {
      expect(judge([{ rule }], value).join()).toMatch(/no such key|undefined field/);
    }
  });
});

describe("escapeFieldName", () => {
  it.each([
    ["namespace", "__namespace__"],
    ["x-prop", "x__dash__prop"],
    ["redact__d", "redact__underscores__d"],
    ["a/b.c", "a__slash__b__dot__c"],
    ["plain", "plain"],
    ["1st", undefined],
  ])("%s", (name, escaped) => {
    expect(escapeFieldName(name)).toBe(escaped);
  });
});
