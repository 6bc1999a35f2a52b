import { isIP } from "node:net";
import { InvalidArgumentError } from "commander";
import { listenForPages, type PageListener } from "../proxy/index.js";

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** `192.0.2.1:8080` or `[2001:db8::1]:8080`. */
export function parseListenAddress(text: string): ListenAddress {
  const [, bracketed, plain, digits = ""] = /^(?:\[([^\]]*)\]|([^:]*)):(\d+)$/.exec(text) ?? [];
  const host = bracketed ?? plain ?? "";
  const port = Number(digits);
  if (isIP(host) !== (bracketed === undefined ? 4 : 6) || digits === "" || port > 65_535) {
    throw new InvalidArgumentError("expected an address and a port, such as 127.0.0.1:10249.");
  }
  return { host, port };
}

/** Port 0: nowhere. */
export function pagesAt({ host, port }: ListenAddress): PageListener | undefined {
  return port === 0 ? undefined : listenForPages(host, port);
}
