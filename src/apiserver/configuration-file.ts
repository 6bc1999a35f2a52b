import { parse, YAMLParseError } from "yaml";
import { ConfigurationError, refuse, type Shape, shapeErrors, withoutNulls } from "../api/configuration-shape.js";
import { DecodeError } from "../api/decode/decode-error.js";
import { decodeYaml } from "../api/decode/yaml.js";

/**
 * The document of a configuration file of `apiserver.config.k8s.io`, in YAML or JSON and of the right shape. Throws ConfigurationError,
 * which names fields that nobody knows.
 */
export function parseConfiguration(
  text: string,
  {
    kind: wanted,
    versions,
    shape,
  }: { readonly kind: string; readonly versions: readonly string[]; readonly shape: Shape },
): object {
  let document: unknown;
  try {
    document = parse(text, { maxAliasCount: 100 });
  } catch (cause) {
    if (cause instanceof YAMLParseError) throw new ConfigurationError(cause.message, { cause });
    throw cause;
  }
  const { apiVersion, kind } = Object(document) as { readonly apiVersion?: unknown; readonly kind?: unknown };
  const known = versions.map((version) => `apiserver.config.k8s.io/${version}`);
  if (kind !== wanted || typeof apiVersion !== "string" || !known.includes(apiVersion)) {
    throw new ConfigurationError(`want kind ${wanted} of apiVersion ${known.join(", ")}`);
  }
  refuse(shapeErrors(document, shape, ""));
  return withoutNulls(document) as object;
}

/** What a configuration file holds, in YAML or JSON; no field may be there twice. Throws ConfigurationError. */
export function decodeConfiguration(text: string): unknown {
  try {
    const { value, duplicates } = decodeYaml(Buffer.from(text));
    refuse(duplicates.map((message) => ({ path: "", reason: "FieldValueInvalid", message })));
    return value;
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    refuse([{ path: "", reason: "FieldValueInvalid", message: error.message }]);
    throw error;
  }
}
