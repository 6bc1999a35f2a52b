import { type Clock, realClock } from "../../internal/clock.js";
import { StoreError } from "../errors.js";
import type { EtcdConnectionOptions } from "./etcd3-transport.js";
import { Http2Channel } from "./http2-channel.js";
import {
  decodeRange,
  decodeWatch,
  decodeWrite,
  encodeCompact,
  encodeRange,
  encodeWatch,
  encodeWrite,
} from "./messages.js";
import type {
  EtcdRange,
  EtcdRangeResult,
  EtcdTransport,
  EtcdWatchResponse,
  EtcdWrite,
  EtcdWriteResult,
} from "./transport.js";

/** Reads, writes and the watch over a thin client of our own; everything rare through `rest`. */
export class Http2Transport implements EtcdTransport {
  readonly #channel: Http2Channel;
  readonly #rest: EtcdTransport;

  constructor(options: EtcdConnectionOptions, rest: EtcdTransport, clock: Clock = realClock) {
    const { endpoints, tls, requestTimeoutMs = 10_000 } = options;
    this.#channel = new Http2Channel({ endpoints, tls, requestTimeoutMs, clock });
    this.#rest = rest;
  }

  async range(request: EtcdRange): Promise<EtcdRangeResult> {
    return decodeRange(await this.#channel.call("/etcdserverpb.KV/Range", encodeRange(request)));
  }

  async write(request: EtcdWrite): Promise<EtcdWriteResult> {
    return decodeWrite(await this.#channel.call("/etcdserverpb.KV/Txn", encodeWrite(request)));
  }

  async compact(revision: number): Promise<void> {
    await this.#channel.call("/etcdserverpb.KV/Compact", encodeCompact(revision));
  }

  async *watch(startRevision: number, signal: AbortSignal): AsyncGenerator<EtcdWatchResponse> {
    const messages = this.#channel.stream("/etcdserverpb.Watch/Watch", encodeWatch(startRevision), signal);
    for await (const message of messages) {
      const response = decodeWatch(message);
      if (response.canceled && response.compactRevision === 0) {
        throw new StoreError("unavailable", `etcd cancelled the watch: ${response.cancelReason}`);
      }
      yield response;
    }
  }

  grantLease(ttlSeconds: number): Promise<{ readonly id: string; readonly ttlSeconds: number }> {
    return this.#rest.grantLease(ttlSeconds);
  }

  keepLeaseAlive(id: string): Promise<void> {
    return this.#rest.keepLeaseAlive(id);
  }

  revokeLease(id: string): Promise<void> {
    return this.#rest.revokeLease(id);
  }

  close(): void {
    this.#channel.close();
    this.#rest.close();
  }
}
