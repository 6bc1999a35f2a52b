// etcd's messages as they are on the wire: etcd's api/etcdserverpb/rpc.proto and api/mvccpb/kv.proto.
import { MessageWriter, readMessage } from "./protobuf.js";
import type {
  EtcdEvent,
  EtcdKeyValue,
  EtcdRange,
  EtcdRangeResult,
  EtcdWatchResponse,
  EtcdWrite,
  EtcdWriteResult,
} from "./transport.js";

const compareTarget = { create: 1, mod: 2 };

export function encodeRange({ key, end, revision = 0, limit = 0, countOnly = false }: EtcdRange): Buffer {
  const writer = new MessageWriter().bytes(1, key);
  if (end !== undefined) writer.bytes(2, end);
  return writer.integer(3, limit).integer(4, revision).flag(9, countOnly).finish();
}

export function decodeRange(message: Buffer): EtcdRangeResult {
  const entries: EtcdKeyValue[] = [];
  let [revision, more, count] = [0, false, 0];
  readMessage(message, {
    integer(field, value) {
      if (field === 3) more = value !== 0;
      else if (field === 4) count = value;
    },
    bytes(field, value) {
      if (field === 1) revision = headerRevision(value);
      else if (field === 2) entries.push(decodeKeyValue(value));
    },
  });
  return { revision, entries, more, count };
}

export function encodeWrite({ key, expectedRevision, put }: EtcdWrite): Buffer {
  const compare = new MessageWriter()
    .integer(2, expectedRevision === 0 ? compareTarget.create : compareTarget.mod)
    .bytes(3, key);
  // A member of a oneof is written also when it is zero; absent, it is compared as zero all the same.
  if (expectedRevision > 0) compare.integer(6, expectedRevision);
  const writer = new MessageWriter().message(1, compare.finish());
  const operation = (field: number, body: Buffer): Buffer => new MessageWriter().message(field, body).finish();
  if (put === undefined) writer.message(2, operation(3, new MessageWriter().bytes(1, key).finish()));
  else {
    const body = new MessageWriter()
      .bytes(1, key)
      .bytes(2, put.value)
      .integer(3, BigInt(put.lease ?? 0));
    writer.message(2, operation(2, body.finish()));
    writer.message(2, operation(1, new MessageWriter().bytes(1, key).flag(8, true).finish()));
  }
  return writer.message(3, operation(1, new MessageWriter().bytes(1, key).finish())).finish();
}

export function decodeWrite(message: Buffer): EtcdWriteResult {
  let [succeeded, revision] = [false, 0];
  let current: EtcdKeyValue | undefined;
  readMessage(message, {
    integer(field, value) {
      if (field === 2) succeeded = value !== 0;
    },
    bytes(field, value) {
      if (field === 1) revision = headerRevision(value);
      if (field !== 3) return;
      readMessage(value, {
        bytes(kind, body) {
          if (kind === 1) current = decodeRange(body).entries[0];
        },
      });
    },
  });
  return { succeeded, revision, current };
}

export function encodeCompact(revision: number): Buffer {
  return new MessageWriter().integer(1, revision).finish();
}

export function encodeWatch(startRevision: number): Buffer {
  const everything = Buffer.from([0]);
  const create = new MessageWriter().bytes(1, everything).bytes(2, everything).integer(3, startRevision).flag(6, true);
  return new MessageWriter().message(1, create.finish()).finish();
}

export interface DecodedWatchResponse extends EtcdWatchResponse {
  readonly canceled: boolean;
  readonly cancelReason: string;
}

export function decodeWatch(message: Buffer): DecodedWatchResponse {
  const events: EtcdEvent[] = [];
  let [canceled, compactRevision, cancelReason] = [false, 0, ""];
  readMessage(message, {
    integer(field, value) {
      if (field === 4) canceled = value !== 0;
      else if (field === 5) compactRevision = value;
    },
    bytes(field, value) {
      if (field === 6) cancelReason = value.toString();
      else if (field === 11) events.push(decodeEvent(value));
    },
  });
  return { events, canceled, compactRevision, cancelReason };
}

const nothing: EtcdKeyValue = { key: Buffer.alloc(0), value: Buffer.alloc(0), createRevision: 0, modRevision: 0 };

function decodeEvent(message: Buffer): EtcdEvent {
  let deleted = false;
  let entry = nothing;
  let previous: EtcdKeyValue | undefined;
  readMessage(message, {
    integer(field, value) {
      if (field === 1) deleted = value === 1;
    },
    bytes(field, value) {
      if (field === 2) entry = decodeKeyValue(value);
      else if (field === 3) previous = decodeKeyValue(value);
    },
  });
  return { deleted, entry, previous };
}

function decodeKeyValue(message: Buffer): EtcdKeyValue {
  let { key, value, createRevision, modRevision } = nothing;
  readMessage(message, {
    integer(field, number) {
      if (field === 2) createRevision = number;
      else if (field === 3) modRevision = number;
    },
    bytes(field, bytes) {
      if (field === 1) key = bytes;
      // Copied, so that a value that is kept does not keep the whole answer that it came in.
      else if (field === 5) value = Buffer.from(bytes);
    },
  });
  return { key, value, createRevision, modRevision };
}

function headerRevision(message: Buffer): number {
  let revision = 0;
  readMessage(message, {
    integer(field, value) {
      if (field === 3) revision = value;
    },
  });
  return revision;
}
