import type { Duplex, Readable, Writable } from "node:stream";

export interface TerminalSize {
  readonly width: number;
  readonly height: number;
}

export interface ExecOptions {
  readonly command: readonly string[];
  readonly tty?: boolean | undefined;
  readonly stdin?: boolean | undefined;
  readonly stdout?: boolean | undefined;
  /** Ignored with tty, where all output is stdout. */
  readonly stderr?: boolean | undefined;
  /** Ends the process and its streams. */
  readonly signal?: AbortSignal | undefined;
}

export interface AttachOptions extends Omit<ExecOptions, "command"> {}

export interface ExecExit {
  readonly exitCode: number;
  /** Why there is no exit code of its own: the program could not be started, ... */
  readonly error?: string | undefined;
}

/**
 * A process's streams in this program. Streams that were not asked for are absent. The caller must read or destroy
 * what it asked for: they apply back-pressure to the process.
 */
export interface LocalProcessStream {
  readonly kind: "local";
  readonly stdin?: Writable | undefined;
  readonly stdout?: Readable | undefined;
  readonly stderr?: Readable | undefined;
  /** Without a terminal it does nothing. */
  resize(size: TerminalSize): void;
  /** Resolves once, after all output has been handed over; never rejects. For attach: when the container ended or was detached from. */
  readonly exit: Promise<ExecExit>;
  /** Lets go: an exec'd process is killed, an attached container goes on. Idempotent. */
  close(): void;
}

/** The streams are served at this URL (http, a SPDY or WebSocket upgrade): tunnel the client's own upgrade there, byte for byte. */
export interface RemoteStream {
  readonly kind: "url";
  readonly url: string;
}

export type ProcessStream = LocalProcessStream | RemoteStream;

/** Opens connections to ports inside a sandbox, each a duplex of its own. */
export interface LocalPortForward {
  readonly kind: "local";
  /** Rejects with RuntimeError `unavailable` when nothing listens there. */
  connect(port: number, signal?: AbortSignal): Promise<Duplex>;
}

export type PortForwardStream = LocalPortForward | RemoteStream;
