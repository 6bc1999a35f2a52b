import {
  type KubeObject,
  type ListMeta,
  type PrinterColumn,
  type ResourceDescription,
  type RowCondition,
  statusErrors,
} from "../../api/index.js";

/** How much of each object a row carries beside its cells. */
export type IncludeObject = "None" | "Metadata" | "Object";

export type MetaVersion = "v1" | "v1beta1";

/** meta.k8s.io Table: what `kubectl get` asks for, so that the server decides what is printed. */
export interface Table {
  readonly kind: "Table";
  readonly apiVersion: `meta.k8s.io/${MetaVersion}`;
  readonly metadata: ListMeta;
  /** null in all but the first event of a watch. */
  readonly columnDefinitions: readonly TableColumn[] | null;
  readonly rows: readonly TableRow[];
}

export interface TableColumn {
  readonly name: string;
  readonly type: string;
  readonly format: string;
  readonly description: string;
  readonly priority: number;
}

export interface TableRow {
  readonly cells: readonly (string | number | boolean | null)[];
  readonly conditions?: readonly RowCondition[];
  /** null where none was asked for. */
  readonly object: KubeObject | PartialObjectMetadata | null;
}

export interface PartialObjectMetadata {
  readonly kind: "PartialObjectMetadata";
  readonly apiVersion: `meta.k8s.io/${MetaVersion}`;
  readonly metadata: KubeObject["metadata"];
}

export interface TableOptions {
  readonly columns: readonly PrinterColumn[];
  readonly rowConditions?: ResourceDescription["rowConditions"];
  readonly includeObject: IncludeObject;
  readonly version: MetaVersion;
  /** What ages are counted to. */
  readonly nowMs: number;
  /** False for all but the first event of a watch. */
  readonly headers?: boolean;
}

/** The objects as rows, in their order. Metadata and objects are shared with the result, not copied. */
export function tableOf(objects: readonly KubeObject[], metadata: ListMeta, options: TableOptions): Table {
  return { ...tableHead(metadata, options), rows: objects.map((object) => tableRow(object, options)) };
}

/** Everything but the rows. */
export function tableHead(metadata: ListMeta, { columns, version, headers = true }: TableOptions): Omit<Table, "rows"> {
  const columnDefinitions = headers ? columns.map(columnDefinition) : null;
  return { kind: "Table", apiVersion: `meta.k8s.io/${version}`, metadata, columnDefinitions };
}

export function tableRow(object: KubeObject, options: TableOptions): TableRow {
  // The cells read fields of the kind that the columns are of; a KubeObject is JSON to them.
  const json: { readonly [key: string]: unknown } = { ...object };
  const cells = options.columns.map((column) => column.cell(json, options.nowMs));
  const conditions = options.rowConditions?.(json) ?? [];
  return { cells, ...(conditions.length > 0 && { conditions }), ...rowObject(object, options) };
}

function rowObject(object: KubeObject, { includeObject, version }: TableOptions): Pick<TableRow, "object"> {
  if (includeObject === "None") return { object: null };
  return { object: includeObject === "Object" ? object : partialMetadata(object, version) };
}

function columnDefinition({ name, type, format = "", description, priority }: PrinterColumn): TableColumn {
  return { name, type, format, description, priority };
}

export function partialMetadata(object: KubeObject, version: MetaVersion): PartialObjectMetadata {
  return { kind: "PartialObjectMetadata", apiVersion: `meta.k8s.io/${version}`, metadata: object.metadata };
}

/** The query parameter of that name. Absent: Metadata. Throws 400 for what is none of the three. */
export function parseIncludeObject(value: string | null | undefined): IncludeObject {
  if (value === null || value === undefined || value === "") return "Metadata";
  if (value === "None" || value === "Metadata" || value === "Object") return value;
  throw statusErrors.badRequest(
    `Unable to convert to Table as requested: includeObject: Invalid value: ${JSON.stringify(value)}: must be 'Metadata', 'Object', 'None', or empty`,
  );
}
