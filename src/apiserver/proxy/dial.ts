import { connect as connectTcp, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { connect as connectTls, createSecureContext, type SecureContext } from "node:tls";
import type { Clock } from "../../internal/clock.js";
import { allowedAddress, type Resolve, systemResolve } from "./address-policy.js";
import { dialError } from "./dial-errors.js";

/** Where a proxied request goes. */
export interface Target {
  readonly host: string;
  readonly port: number;
  /** Absent: plain HTTP. */
  readonly tls?: { readonly serverName: string; readonly authenticate: boolean };
}

/** Opens a byte stream to a target, TLS done. Rejects when there is none; an abort ends the attempt. */
export type Dial = (target: Target, signal: AbortSignal) => Promise<Duplex>;

export interface NetworkDialOptions {
  readonly clock: Clock;
  /** As whom the API server calls those that it authenticates to: nodes, and servers behind it (PEM). */
  readonly clientCertificate?: { readonly certificate: string; readonly key: string };
  /** Who signs their serving certificates (PEM), or whom the system trusts; absent: they are not checked. */
  readonly authorities?: readonly string[] | "system";
  /** Only where the cluster's own nodes and pods have such addresses: on one machine. */
  readonly allowLocalAddresses: boolean;
  readonly resolve?: Resolve;
  readonly timeoutMs?: number;
}

export function networkDial(options: NetworkDialOptions): Dial {
  let made: SecureContext | undefined;
  // Certificates are parsed once, not for every connection.
  const secure = (): SecureContext => {
    made ??= secureContextOf(options);
    return made;
  };
  return async (target, signal) => {
    const host = await allowedAddress(target.host, options.allowLocalAddresses, options.resolve ?? systemResolve);
    signal.throwIfAborted();
    return open(options, { ...target, host }, secure, signal);
  };
}

function secureContextOf({ clientCertificate, authorities }: NetworkDialOptions): SecureContext {
  return createSecureContext({
    ...(clientCertificate === undefined ? {} : { cert: clientCertificate.certificate, key: clientCertificate.key }),
    ...(authorities === undefined || authorities === "system" ? {} : { ca: [...authorities] }),
  });
}

function open(
  options: NetworkDialOptions,
  target: Target,
  secure: () => SecureContext,
  signal: AbortSignal,
): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const socket = connect(options, target, secure);
    socket.setNoDelay(true);
    const settle = (act: () => void): void => {
      timer.cancel();
      signal.removeEventListener("abort", onAbort);
      socket.off("error", onError);
      act();
    };
    const fail = (error: unknown): void =>
      settle(() => {
        socket.on("error", () => {});
        socket.destroy();
        reject(error);
      });
    const onError = (error: Error): void => fail(dialError(error, target));
    const onAbort = (): void => fail(signal.reason);
    const timer = options.clock.setTimeout(
      () => fail(new Error(`dial tcp ${target.host}:${target.port}: i/o timeout`)),
      options.timeoutMs ?? 10_000,
    );
    socket.on("error", onError);
    socket.once(target.tls === undefined ? "connect" : "secureConnect", () => settle(() => resolve(socket)));
    signal.addEventListener("abort", onAbort, { once: true });
  });
}

function connect(
  { authorities }: NetworkDialOptions,
  { host, port, tls }: Target,
  secure: () => SecureContext,
): Socket {
  if (tls === undefined) return connectTcp({ host, port });
  return connectTls({
    host,
    port,
    ALPNProtocols: ["http/1.1"],
    ...(tls.serverName === "" ? {} : { servername: tls.serverName }),
    ...(tls.authenticate ? { secureContext: secure() } : {}),
    rejectUnauthorized: tls.authenticate && authorities !== undefined,
  });
}
