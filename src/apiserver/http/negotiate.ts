import { type PatchType, patchContentTypes, statusErrors } from "../../api/index.js";

/** What a client wants back. */
export interface Accepted {
  readonly format: "json" | "yaml" | "protobuf";
  /** Absent: the object itself. */
  readonly as?: "Table" | "PartialObjectMetadata" | "PartialObjectMetadataList";
  /** Only `meta.k8s.io/v1` and `v1beta1` can be asked for. */
  readonly asVersion?: "v1" | "v1beta1";
  readonly pretty?: boolean;
}

export const protobufType = "application/vnd.kubernetes.protobuf";

/** What upstream names where it accepts none of what is asked for, also for what has no protobuf form itself. */
export const mediaTypes: readonly string[] = ["application/json", "application/yaml", protobufType];

/** What who does not say gets. */
export const plainJson: Accepted = { format: "json" };

/** Negotiates Accept headers and remembers the answers, because clients send few different ones. One per server. */
export class Negotiator {
  readonly #known = new Map<string, Accepted>();

  /** Throws 406 when nothing that is asked for can be given. */
  accept(header: string | undefined, forms: Forms = {}): Accepted {
    if (header === undefined || header === "" || header === "*/*" || header === "application/json") return plainJson;
    const key = `${forms.protobuf ? "+" : ""}${forms.tables === false ? "-" : ""}${header}`;
    let accepted = this.#known.get(key);
    if (accepted === undefined) {
      accepted = negotiate(header, forms);
      if (this.#known.size < 256 && header.length < 1024) this.#known.set(key, accepted);
    }
    return accepted;
  }
}

/** What an endpoint can give beside JSON, YAML and metadata alone. */
export interface Forms {
  /** Objects have a protobuf form. Default false. */
  readonly protobuf?: boolean | undefined;
  /** Default true. */
  readonly tables?: boolean;
}

interface Clause {
  readonly type: string;
  readonly parameters: ReadonlyMap<string, string>;
  readonly quality: number;
}

/**
 * The first acceptable clause by quality, wildcards last, then order. Metadata alone has a protobuf form for every resource, objects only where
 * `forms` says so. Throws 406.
 */
export function negotiate(header: string, { protobuf = false, tables = true }: Forms = {}): Accepted {
  if (header.length > 4096) throw statusErrors.notAcceptable(mediaTypes);
  const clauses = header.split(",").map(parseClause);
  clauses.sort((left, right) => right.quality - left.quality || wildcards(left) - wildcards(right));
  for (const clause of clauses) {
    if (clause.quality <= 0) continue;
    const format = formatOf(clause.type);
    if (format === undefined) continue;
    const accepted = transformOf(clause, format);
    if (accepted === undefined || (accepted.as === "Table" && !tables)) continue;
    if (format !== "protobuf" || hasProtobuf(accepted, protobuf)) return accepted;
  }
  throw statusErrors.notAcceptable(mediaTypes);
}

/** How a client that was refused before anything was negotiated is told so: any way that it takes, else as JSON. */
export function acceptedForError(header: string | undefined): Accepted {
  if (header === undefined || !header.includes("yaml")) return plainJson;
  try {
    return negotiate(header);
  } catch {
    return plainJson;
  }
}

/** What is named comes before what is not. */
function wildcards({ type }: Clause): number {
  return type === "*/*" ? 2 : type.endsWith("/*") ? 1 : 0;
}

/** Tables have none. */
function hasProtobuf({ as }: Accepted, resource: boolean): boolean {
  return as === undefined ? resource : as !== "Table";
}

function parseClause(text: string): Clause {
  const [type = "", ...rest] = text.split(";");
  const parameters = new Map<string, string>();
  for (const parameter of rest) {
    const equals = parameter.indexOf("=");
    if (equals > 0) {
      parameters.set(parameter.slice(0, equals).trim().toLowerCase(), parameter.slice(equals + 1).trim());
    }
  }
  const quality = Number(parameters.get("q") ?? "1");
  return { type: type.trim().toLowerCase(), parameters, quality: Number.isNaN(quality) ? 1 : quality };
}

function formatOf(type: string): Accepted["format"] | undefined {
  switch (type) {
    case "*/*":
    case "application/*":
    case "application/json":
      return "json";
    case "application/yaml":
      return "yaml";
    case protobufType:
      return "protobuf";
    default:
      return undefined;
  }
}

function transformOf(clause: Clause, format: Accepted["format"]): Accepted | undefined {
  const as = clause.parameters.get("as");
  const pretty = clause.parameters.get("pretty") === "1";
  const base: Accepted = pretty ? { format, pretty } : { format };
  if (as === undefined) return base;
  const version = clause.parameters.get("v");
  if (clause.parameters.get("g") !== "meta.k8s.io" || (version !== "v1" && version !== "v1beta1")) return undefined;
  if (as !== "Table" && as !== "PartialObjectMetadata" && as !== "PartialObjectMetadataList") return undefined;
  return { ...base, as, asVersion: version };
}

/** The bare, lower-case media type of a Content-Type header. */
export function mediaTypeOf(header: string): string {
  const semicolon = header.indexOf(";");
  return (semicolon < 0 ? header : header.slice(0, semicolon)).trim().toLowerCase();
}

const patchTypes: ReadonlyMap<string, PatchType> = new Map([
  [patchContentTypes.json, "json"],
  [patchContentTypes.merge, "merge"],
  [patchContentTypes.strategic, "strategic"],
  [patchContentTypes.apply, "apply"],
]);

/** Throws 415 for a content type that is no patch. */
export function patchTypeOf(contentType: string | undefined): PatchType {
  const type = patchTypes.get(mediaTypeOf(contentType ?? ""));
  if (type === undefined) throw statusErrors.unsupportedMediaType([...patchTypes.keys()]);
  return type;
}

/** Whether `Accept-Encoding` allows gzip. */
export function acceptsGzip(header: string | undefined): boolean {
  if (header === undefined) return false;
  return header.split(",").some((part) => /^\s*gzip\s*(;\s*q=(1(\.0*)?|0?\.[0-9]*[1-9][0-9]*)\s*)?$/.test(part));
}
