/**
 * The few calls that the store makes of etcd, so that what carries them can be swapped. They reject with StoreErrors;
 * none is repeated here: that is the store's decision.
 */
export interface EtcdTransport {
  range(request: EtcdRange): Promise<EtcdRangeResult>;
  /** One write to one key, in one transaction with a comparison of its revision. */
  write(request: EtcdWrite): Promise<EtcdWriteResult>;
  compact(revision: number): Promise<void>;
  grantLease(ttlSeconds: number): Promise<{ readonly id: string; readonly ttlSeconds: number }>;
  keepLeaseAlive(id: string): Promise<void>;
  revokeLease(id: string): Promise<void>;
  /**
   * What happened to all keys from `startRevision` on, with previous values; a revision is never split. Ends or rejects
   * when the connection does.
   */
  watch(startRevision: number, signal: AbortSignal): AsyncIterable<EtcdWatchResponse>;
  close(): void;
}

export interface EtcdKeyValue {
  readonly key: Buffer;
  readonly value: Buffer;
  readonly createRevision: number;
  readonly modRevision: number;
}

export interface EtcdRange {
  readonly key: Buffer;
  /** Exclusive. */
  readonly end?: Buffer;
  /** 0: now. */
  readonly revision?: number;
  /** 0: all. */
  readonly limit?: number;
  readonly countOnly?: boolean;
}

export interface EtcdRangeResult {
  /** The store's, whatever was asked for. */
  readonly revision: number;
  readonly entries: readonly EtcdKeyValue[];
  readonly more: boolean;
  readonly count: number;
}

export interface EtcdWrite {
  readonly key: Buffer;
  /** 0: there must be none. */
  readonly expectedRevision: number;
  /** Absent: delete. */
  readonly put?: { readonly value: Buffer; readonly lease: string | undefined };
}

export interface EtcdWriteResult {
  /** Whether the key was at the expected revision, and the write happened. */
  readonly succeeded: boolean;
  readonly revision: number;
  /** What is there: after a put without its value, after a refusal with it. */
  readonly current: EtcdKeyValue | undefined;
}

export interface EtcdWatchResponse {
  readonly events: readonly EtcdEvent[];
  /** Not 0: history before it is gone, and with it what was asked for. */
  readonly compactRevision: number;
}

export interface EtcdEvent {
  readonly deleted: boolean;
  readonly entry: EtcdKeyValue;
  readonly previous: EtcdKeyValue | undefined;
}
