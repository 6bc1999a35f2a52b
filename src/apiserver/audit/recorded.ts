import { isJsonObject } from "../../api/json-value.js";
import { itemSize } from "../http/slabs.js";
import type { StoredList, StoredObject } from "../request.js";
import type { AuditObject } from "./event.js";

/** No object is recorded that is larger: as much as a request may bring. Whole lists may be larger, and are left out. */
export const maxRecordedBytes: number = 3 * 1024 * 1024;

class Recorded implements AuditObject {
  readonly json: Buffer;

  constructor(json: Buffer) {
    this.json = json;
  }

  toJSON(): unknown {
    return JSON.parse(this.json.toString("utf8"));
  }
}

export interface RecordOptions {
  readonly omitManagedFields: boolean;
}

/** How something becomes part of an event; undefined: it is too large. */
type Outcome = AuditObject | undefined;

const lineFeed = 0x0a;
const carriageReturn = 0x0d;
const managedFields = Buffer.from('"managedFields"');

/**
 * What came as a body. The bytes are kept as they are where they are one line of JSON that has one meaning; `value` is what they
 * were read as.
 */
export function recordedBody(value: unknown, bytes: Buffer | undefined, { omitManagedFields }: RecordOptions): Outcome {
  const plain = bytes !== undefined && !bytes.includes(lineFeed) && !bytes.includes(carriageReturn);
  if (plain && !(omitManagedFields && bytes.includes(managedFields))) return bounded(bytes);
  return recordedValue(value, { omitManagedFields });
}

export function recordedValue(value: unknown, { omitManagedFields }: RecordOptions): Outcome {
  return bounded(Buffer.from(JSON.stringify(omitManagedFields ? withoutManagedFields(value) : value)));
}

export function recordedStored(stored: StoredObject, { omitManagedFields }: RecordOptions): Outcome {
  if (stored.size > maxRecordedBytes) return undefined;
  if (omitManagedFields && stored.bytes.includes(managedFields))
    return recordedValue(stored.glimpse, { omitManagedFields });
  return bounded(stored.bytes);
}

/** A list as it goes over the wire. One that is too large is not put together at all. */
export function recordedList(list: StoredList, { omitManagedFields }: RecordOptions): Outcome {
  const { kind, apiVersion, metadata, items, bare = false } = list;
  let size = 0;
  for (const item of items) {
    size += itemSize(item, bare) + 1;
    if (size > maxRecordedBytes) return undefined;
  }
  const head = JSON.stringify({ kind, apiVersion, metadata }).slice(0, -1);
  const parts: Buffer[] = [Buffer.from(`${head},"items":[`)];
  for (const [index, item] of items.entries()) {
    if (index > 0) parts.push(comma);
    if (omitManagedFields && item.bytes.includes(managedFields)) {
      const object = withoutManagedFields(item.glimpse) as object;
      parts.push(Buffer.from(JSON.stringify(bare ? { ...object, kind: undefined, apiVersion: undefined } : object)));
    } else if (bare && item.headSize) parts.push(openingBrace, item.bytes.subarray(1 + item.headSize));
    else parts.push(item.bytes);
  }
  parts.push(Buffer.from("]}"));
  return new Recorded(Buffer.concat(parts));
}

const comma = Buffer.from(",");
const openingBrace = Buffer.from("{");

function bounded(json: Buffer): Outcome {
  return json.length > maxRecordedBytes ? undefined : new Recorded(json);
}

/** Of an object, of the items of a list, or of the objects in a table. Copies only the path to them. */
function withoutManagedFields(value: unknown): unknown {
  if (!isJsonObject(value)) return value;
  const { metadata, items, rows } = value;
  return {
    ...value,
    ...(isJsonObject(metadata) ? { metadata: { ...metadata, managedFields: undefined } } : {}),
    ...(Array.isArray(items) ? { items: items.map(withoutManagedFields) } : {}),
    ...(Array.isArray(rows) ? { rows: rows.map(rowWithout) } : {}),
  };
}

function rowWithout(row: unknown): unknown {
  return isJsonObject(row) ? { ...row, object: withoutManagedFields(row["object"]) } : row;
}
