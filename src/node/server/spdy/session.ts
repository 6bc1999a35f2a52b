import { Duplex } from "node:stream";
import { HeaderCodec, type SpdyHeaders } from "./headers.js";

const synStream = 1;
const synReply = 2;
const rstStream = 3;
const settings = 4;
const ping = 6;
const goAway = 7;
const headersFrame = 8;
const windowUpdate = 9;
const finFlag = 1;
const initialWindowSetting = 7;
const defaultWindow = 64 * 1024;
const maxControlBytes = 64 * 1024;
const maxDataBytes = 16 * 1024;
const maxStreams = 1000;
const lingerMs = 10_000;
const cancelStatus = 5;
const protocolErrorStatus = 1;

/** One stream of a session, opened by the client. Its writable end closes by FIN, destroying it sends RST. */
export class SpdyStream extends Duplex {
  readonly id: number;
  readonly headers: SpdyHeaders;
  readonly #session: SpdySession;
  /** What the peer still takes; meaningful only when it does flow control. */
  window: number;
  #blocked: (() => void) | undefined;
  #consumed = 0;
  #finished = false;

  constructor(session: SpdySession, id: number, headers: SpdyHeaders, window: number) {
    super({ allowHalfOpen: true });
    this.#session = session;
    this.id = id;
    this.headers = headers;
    this.window = window;
  }

  /** Bytes from the peer; undefined is its end. */
  receive(chunk: Buffer | undefined): void {
    if (this.destroyed) return;
    if (chunk === undefined) {
      this.push(null);
      return;
    }
    this.#consumed += chunk.length;
    if (!this.push(chunk)) this.#session.hold(this);
    else this.#grant();
  }

  grant(bytes: number): void {
    this.window += bytes;
    const go = this.#blocked;
    this.#blocked = undefined;
    go?.();
  }

  override _read(): void {
    this.#session.unhold(this);
    this.#grant();
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    if (this.#session.flowControlled && this.window <= 0) {
      this.#blocked = () => this._write(chunk, _encoding, done);
      return;
    }
    const limit = this.#session.flowControlled ? Math.min(this.window, maxDataBytes) : maxDataBytes;
    const piece = chunk.subarray(0, limit);
    this.window -= piece.length;
    this.#session.sendData(this.id, piece, false, () => {
      if (piece.length === chunk.length) done();
      else this._write(chunk.subarray(limit), _encoding, done);
    });
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#finished = true;
    this.#session.sendData(this.id, Buffer.alloc(0), true, () => done());
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (!this.#finished || !this.readableEnded) this.#session.reset(this.id, cancelStatus);
    this.#session.forget(this);
    done(error);
  }

  /** Tells the peer that it may send as much again as was taken. */
  #grant(): void {
    if (this.#consumed < defaultWindow / 2) return;
    this.#session.sendWindow(this.id, this.#consumed);
    this.#consumed = 0;
  }
}

export interface SpdySessionOptions {
  /** A client opened a stream. Answered with a reply once this returns; throwing refuses it. */
  readonly onStream: (stream: SpdyStream) => void;
}

/**
 * The server's side of SPDY/3.1 over a duplex. Kubernetes' own clients neither grant windows nor heed them: ours is granted always, and
 * theirs is heeded from the first time that they speak of one.
 */
export class SpdySession {
  readonly #connection: Duplex;
  readonly #options: SpdySessionOptions;
  readonly #codec = new HeaderCodec();
  readonly #streams = new Map<number, SpdyStream>();
  readonly #held = new Set<SpdyStream>();
  #buffer: Buffer = Buffer.alloc(0);
  #dataLeft = 0;
  #dataStream = 0;
  #dataFin = false;
  #work: Promise<void> = Promise.resolve();
  #lastId = 0;
  #initialWindow = defaultWindow;
  flowControlled = false;
  readonly closed: Promise<void>;

  constructor(connection: Duplex, options: SpdySessionOptions) {
    this.#connection = connection;
    this.#options = options;
    this.closed = new Promise((resolve) => {
      connection.once("close", () => {
        this.#end();
        resolve();
      });
    });
    connection.on("error", () => connection.destroy());
    connection.on("end", () => this.close());
    connection.on("data", (chunk: Buffer) => {
      connection.pause();
      this.#work = this.#work
        .then(() => this.#receive(chunk))
        .then(() => {
          if (this.#held.size === 0) connection.resume();
        })
        .catch(() => this.#fail());
    });
  }

  /** All is said: the client is given time to read it and to close; a connection closed under it loses what it has not read. */
  finish(): void {
    const timer = setTimeout(() => this.close(), lingerMs);
    void this.closed.then(() => clearTimeout(timer));
  }

  /** No more streams; the connection ends. */
  close(): void {
    if (this.#connection.writableEnded || this.#connection.destroyed) return;
    const body = Buffer.alloc(8);
    body.writeUInt32BE(this.#lastId, 0);
    this.#control(goAway, 0, body);
    this.#connection.end();
    // A client that does not close its side either is not waited for.
    this.#connection.once("finish", () => this.#connection.destroy());
  }

  sendData(id: number, data: Buffer, fin: boolean, done: () => void): void {
    if (this.#connection.destroyed) {
      done();
      return;
    }
    const head = Buffer.alloc(8);
    head.writeUInt32BE(id & 0x7fffffff, 0);
    head.writeUInt32BE(((fin ? finFlag : 0) << 24) | data.length, 4);
    this.#connection.cork();
    this.#connection.write(head);
    this.#connection.write(data, () => done());
    this.#connection.uncork();
  }

  sendWindow(id: number, bytes: number): void {
    const body = Buffer.alloc(8);
    body.writeUInt32BE(id, 0);
    body.writeUInt32BE(bytes, 4);
    this.#control(windowUpdate, 0, body);
  }

  reset(id: number, status: number): void {
    const body = Buffer.alloc(8);
    body.writeUInt32BE(id, 0);
    body.writeUInt32BE(status, 4);
    this.#control(rstStream, 0, body);
  }

  forget(stream: SpdyStream): void {
    this.#streams.delete(stream.id);
    this.unhold(stream);
  }

  /** Nobody reads this stream: nothing more is taken from the connection, since its sender knows no other limit. */
  hold(stream: SpdyStream): void {
    this.#held.add(stream);
    this.#connection.pause();
  }

  unhold(stream: SpdyStream): void {
    if (this.#held.delete(stream) && this.#held.size === 0) this.#connection.resume();
  }

  #control(type: number, flags: number, body: Buffer): void {
    if (this.#connection.destroyed || this.#connection.writableEnded) return;
    const head = Buffer.alloc(8);
    head.writeUInt16BE(0x8003, 0);
    head.writeUInt16BE(type, 2);
    head.writeUInt32BE((flags << 24) | body.length, 4);
    this.#connection.write(Buffer.concat([head, body]));
  }

  async #receive(chunk: Buffer): Promise<void> {
    this.#buffer = this.#buffer.length === 0 ? chunk : Buffer.concat([this.#buffer, chunk]);
    for (;;) {
      if (this.#dataLeft > 0) {
        if (this.#buffer.length === 0) return;
        this.#takeData();
        continue;
      }
      if (this.#buffer.length < 8) return;
      const first = this.#buffer.readUInt32BE(0);
      const second = this.#buffer.readUInt32BE(4);
      const flags = second >>> 24;
      const length = second & 0xffffff;
      if ((first & 0x80000000) === 0) {
        this.#buffer = this.#buffer.subarray(8);
        this.#dataStream = first;
        this.#dataLeft = length;
        this.#dataFin = (flags & finFlag) !== 0;
        if (length === 0 && this.#dataFin) this.#streams.get(first)?.receive(undefined);
        continue;
      }
      if (length > maxControlBytes || ((first >>> 16) & 0x7fff) !== 3) throw new RangeError("not SPDY/3");
      if (this.#buffer.length < 8 + length) return;
      const body = this.#buffer.subarray(8, 8 + length);
      this.#buffer = this.#buffer.subarray(8 + length);
      await this.#frame(first & 0xffff, flags, body);
    }
  }

  /** Data is handed on as it comes, however long its frame. */
  #takeData(): void {
    const data = this.#buffer.subarray(0, this.#dataLeft);
    this.#buffer = this.#buffer.subarray(data.length);
    this.#dataLeft -= data.length;
    const stream = this.#streams.get(this.#dataStream);
    stream?.receive(data);
    if (this.#dataLeft === 0 && this.#dataFin) stream?.receive(undefined);
  }

  async #frame(type: number, flags: number, body: Buffer): Promise<void> {
    switch (type) {
      case synStream:
        return this.#open(body, (flags & finFlag) !== 0);
      case headersFrame:
        await this.#codec.decode(body.subarray(4));
        if (flags & finFlag) this.#streams.get(body.readUInt32BE(0))?.receive(undefined);
        return;
      case rstStream: {
        const stream = this.#streams.get(body.readUInt32BE(0) & 0x7fffffff);
        if (stream !== undefined) {
          this.#streams.delete(stream.id);
          stream.destroy();
        }
        return;
      }
      case settings:
        return this.#settings(body);
      case ping:
        this.#control(ping, 0, body);
        return;
      case goAway:
        return;
      case windowUpdate: {
        this.flowControlled = true;
        this.#streams.get(body.readUInt32BE(0) & 0x7fffffff)?.grant(body.readUInt32BE(4) & 0x7fffffff);
        return;
      }
      default:
    }
  }

  #settings(body: Buffer): void {
    for (let index = 0, at = 4; index < body.readUInt32BE(0) && at + 8 <= body.length; index++, at += 8) {
      if ((body.readUInt32BE(at) & 0xffffff) !== initialWindowSetting) continue;
      this.flowControlled = true;
      const window = body.readUInt32BE(at + 4);
      for (const stream of this.#streams.values()) stream.grant(window - this.#initialWindow);
      this.#initialWindow = window;
    }
  }

  async #open(body: Buffer, fin: boolean): Promise<void> {
    const id = body.readUInt32BE(0) & 0x7fffffff;
    const headers = await this.#codec.decode(body.subarray(10));
    if (id % 2 === 0 || id <= this.#lastId || this.#streams.size >= maxStreams) {
      this.reset(id, protocolErrorStatus);
      return;
    }
    this.#lastId = id;
    const stream = new SpdyStream(this, id, headers, this.#initialWindow);
    stream.on("error", () => {});
    this.#streams.set(id, stream);
    const block = await this.#codec.encode(new Map());
    const idBytes = Buffer.alloc(4);
    idBytes.writeUInt32BE(id);
    this.#control(synReply, 0, Buffer.concat([idBytes, block]));
    if (fin) stream.receive(undefined);
    try {
      this.#options.onStream(stream);
    } catch {
      stream.destroy();
    }
  }

  #fail(): void {
    this.#connection.destroy();
  }

  #end(): void {
    this.#codec.close();
    for (const stream of [...this.#streams.values()]) stream.destroy();
    this.#streams.clear();
  }
}
