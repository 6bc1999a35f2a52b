import { refuse, type Shape, shapeErrors, withoutNulls } from "../../api/configuration-shape.js";
import { type FieldError, forbidden, invalid, notSupported, required } from "../../api/field-error.js";
import { decodeConfiguration } from "../configuration-file.js";

export interface EncryptionKey {
  /** Part of what is stored: the key's name finds it again. */
  readonly name: string;
  readonly secret: Buffer;
}

export type EncryptionProvider =
  | { readonly type: "identity" }
  | { readonly type: "aesgcm" | "aescbc" | "secretbox"; readonly keys: readonly EncryptionKey[] };

/** How some resources are kept: written with the first key of the first provider, read with whichever fits. */
export interface EncryptionRule {
  /** `secrets`, `deployments.apps`, `*.apps`, `*.` (the core group), `*.*`. */
  readonly resources: readonly string[];
  readonly providers: readonly EncryptionProvider[];
}

interface KeysDocument {
  readonly keys?: readonly { readonly name?: string; readonly secret?: string }[];
}

interface ProviderDocument {
  readonly identity?: object | null;
  readonly aesgcm?: KeysDocument;
  readonly aescbc?: KeysDocument;
  readonly secretbox?: KeysDocument;
  readonly kms?: unknown;
}

interface RuleDocument {
  readonly resources?: readonly string[];
  readonly providers?: readonly ProviderDocument[];
}

const keysShape: Shape = { fields: { keys: { list: { fields: { name: "string", secret: "string" } } } } };
const shape: Shape = {
  fields: {
    apiVersion: "string",
    kind: "string",
    resources: {
      list: {
        fields: {
          resources: { list: "string" },
          providers: {
            list: {
              fields: {
                identity: { fields: {} },
                aesgcm: keysShape,
                aescbc: keysShape,
                secretbox: keysShape,
                kms: "any",
              },
            },
          },
        },
      },
    },
  },
};

const apiVersion = "apiserver.config.k8s.io/v1";
const types = ["aesgcm", "aescbc", "secretbox"] as const;
const keyLengths: Readonly<Record<(typeof types)[number], readonly number[]>> = {
  aesgcm: [16, 24, 32],
  aescbc: [16, 24, 32],
  secretbox: [32],
};

/**
 * Reads an EncryptionConfiguration of `apiserver.config.k8s.io/v1`, YAML or JSON.
 *
 * @throws {ConfigurationError} which says everything that is wrong, with the paths of the fields and without the secrets
 */
export function parseEncryptionConfiguration(text: string): readonly EncryptionRule[] {
  const document = decodeConfiguration(text);
  const errors = shapeErrors(document, shape, "");
  refuse(errors.map(redacted));
  const given = (withoutNulls(document) ?? {}) as {
    apiVersion?: string;
    kind?: string;
    resources?: readonly RuleDocument[];
  };
  const problems: FieldError[] = [];
  if (given.apiVersion !== apiVersion) problems.push(notSupported("apiVersion", given.apiVersion ?? "", [apiVersion]));
  if (given.kind !== "EncryptionConfiguration") {
    problems.push(notSupported("kind", given.kind ?? "", ["EncryptionConfiguration"]));
  }
  const rules = given.resources ?? [];
  if (rules.length === 0) problems.push(required("resources", "at least one resource must be configured"));
  for (const [index, rule] of rules.entries()) problems.push(...ruleErrors(rule, `resources[${index}]`));
  problems.push(...maskErrors(rules));
  refuse(problems);
  return rules.map(({ resources = [], providers = [] }) => ({ resources, providers: providers.map(providerOf) }));
}

/** What was given where a secret belongs is not for logs, whatever it is. */
function redacted(error: FieldError): FieldError {
  const message = 'Invalid value: "REDACTED": want a string';
  return error.path.endsWith(".secret") ? { ...error, message } : error;
}

function ruleErrors({ resources = [], providers = [] }: RuleDocument, path: string): readonly FieldError[] {
  const errors: FieldError[] = [];
  if (resources.length === 0) errors.push(required(`${path}.resources`, "at least one resource must be specified"));
  for (const [index, name] of resources.entries()) errors.push(...nameErrors(name, `${path}.resources[${index}]`));
  errors.push(...overlapErrors(resources, `${path}.resources`));
  if (providers.length === 0) errors.push(required(`${path}.providers`, "at least one provider must be specified"));
  for (const [index, provider] of providers.entries()) {
    errors.push(...providerErrors(provider, `${path}.providers[${index}]`));
  }
  return errors;
}

function nameErrors(name: string, path: string): readonly FieldError[] {
  if (name === "*") {
    const why = "use '*.' to encrypt all the resources from core API group or *.* to encrypt all resources";
    return [invalid(path, name, why)];
  }
  if (name === "" || name !== name.toLowerCase()) return [invalid(path, name, "resource name should be lower case")];
  const { resource, group } = parseName(name);
  if (group === "events.k8s.io") {
    const why = "objects of events.k8s.io are stored as events of the core group: use 'events' instead";
    return [invalid(path, name, why)];
  }
  if (group === "extensions") return [invalid(path, name, "'extensions' group has been removed")];
  return resource.includes("*") && resource !== "*"
    ? [invalid(path, name, "an asterisk stands for a whole name only")]
    : [];
}

/** Beside `*.apps` in one list, `deployments.apps` would mean nothing. */
function overlapErrors(names: readonly string[], path: string): readonly FieldError[] {
  const seen = new Set<string>();
  for (const name of names) {
    if (seen.has(name)) return [invalid(path, names, "the same resource cannot be specified multiple times")];
    seen.add(name);
  }
  const masked = names.some((name) => masks(name).some((wide) => wide !== name && seen.has(wide)));
  const why = "using overlapping resources such as 'secrets' and '*.' in the same resource list is not allowed";
  return masked ? [invalid(path, names, why)] : [];
}

/** What an earlier rule says of all resources of a group stands: a later one on some of them would never be heard. */
function maskErrors(rules: readonly RuleDocument[]): readonly FieldError[] {
  const seen = new Set<string>();
  const errors: FieldError[] = [];
  for (const [at, { resources = [] }] of rules.entries()) {
    for (const [index, name] of resources.entries()) {
      const by = masks(name).find((wide) => seen.has(wide));
      if (by === undefined) continue;
      errors.push(
        forbidden(`resources[${at}].resources[${index}]`, `masked by the earlier rule ${JSON.stringify(by)}`),
      );
    }
    for (const name of resources) seen.add(name);
  }
  return errors;
}

function masks(name: string): readonly string[] {
  return [`*.${parseName(name).group}`, "*.*"];
}

export function parseName(name: string): { readonly resource: string; readonly group: string } {
  const dot = name.indexOf(".");
  return dot < 0 ? { resource: name, group: "" } : { resource: name.slice(0, dot), group: name.slice(dot + 1) };
}

function providerErrors(provider: ProviderDocument, path: string): readonly FieldError[] {
  const named = Object.keys(provider);
  if (named.length === 0) return [required(path, "provider does not contain any of the expected providers")];
  if (named.length > 1) {
    const why = "more than one provider specified in a single element, should split into different list elements";
    return [invalid(path, named, why)];
  }
  if ("kms" in provider) return [forbidden(`${path}.kms`, "this server has no kms providers")];
  return types.flatMap((type) =>
    type in provider ? keysErrors(provider[type] ?? {}, type, `${path}.${type}.keys`) : [],
  );
}

function keysErrors({ keys = [] }: KeysDocument, type: (typeof types)[number], path: string): readonly FieldError[] {
  if (keys.length === 0) return [required(path, `keys is mandatory for a ${type} provider`)];
  return keys.flatMap(({ name = "", secret = "" }, index) => {
    const errors: FieldError[] = [];
    if (name === "") errors.push(required(`${path}[${index}].name`, "name is mandatory for a key"));
    const at = `${path}[${index}].secret`;
    const bytes = base64(secret);
    if (secret === "") errors.push(required(at, "secret is mandatory for a key"));
    else if (bytes === undefined) errors.push(invalid(at, "REDACTED", "secrets must be base64 encoded"));
    else if (!keyLengths[type].includes(bytes.length)) {
      const lengths = keyLengths[type].join(" ");
      const why = `secret is not of the expected length, got ${bytes.length}, expected one of [${lengths}]`;
      errors.push(invalid(at, "REDACTED", why));
    }
    return errors;
  });
}

/** Strictly, but for line breaks, as Go reads it. */
function base64(text: string): Buffer | undefined {
  const joined = text.replace(/[\r\n]/g, "");
  const bytes = Buffer.from(joined, "base64");
  return bytes.toString("base64") === joined ? bytes : undefined;
}

function providerOf(provider: ProviderDocument): EncryptionProvider {
  for (const type of types) {
    if (!(type in provider)) continue;
    const keys = (provider[type]?.keys ?? []).map(({ name = "", secret = "" }) => ({
      name,
      secret: base64(secret) ?? Buffer.alloc(0),
    }));
    return { type, keys };
  }
  return { type: "identity" };
}
