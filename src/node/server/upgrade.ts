import type { IncomingMessage } from "node:http";
import { connect } from "node:net";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import type { AttachOptions, PortForwardStream, ProcessStream } from "../../runtime/index.js";
import type { NodeServerContext } from "./context.js";
import { portForwardProtocol, spdyPortForward, tunnel, tunnelProtocol, webSocketPortForward } from "./port-forward.js";
import { joinStreams, type RemoteCommandStreams } from "./remote-command.js";
import { spdyCommand, spdyCommandProtocols } from "./spdy-command.js";
import { commandProtocols, webSocketCommand } from "./websocket-command.js";

/** A client that wants to speak another protocol than HTTP. */
export interface UpgradeRequest {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
}

export interface CommandWants {
  readonly command?: readonly string[] | undefined;
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
}

/** The streams that a query asks for, under the API's names and under those of nodes' own URLs. */
export function parseWants(query: URLSearchParams): CommandWants {
  const flag = (...names: string[]): boolean => names.some((name) => ["1", "true"].includes(query.get(name) ?? ""));
  const tty = flag("tty");
  return {
    command: query.getAll("command"),
    stdin: flag("input", "stdin"),
    stdout: flag("output", "stdout"),
    // With a terminal there is but one output.
    stderr: flag("error", "stderr") && !tty,
    tty,
  };
}

/** Answers an upgrade with a status instead. */
export function refuse(socket: Duplex, code: number, reason: string, message: string): void {
  const body = `${message}\n`;
  socket.end(
    `HTTP/1.1 ${code} ${reason}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
}

/** exec and attach. `open` starts the process once the client's protocol is agreed. */
export async function upgradeCommand(
  context: NodeServerContext,
  upgrade: UpgradeRequest,
  wants: CommandWants,
  open: (options: AttachOptions) => Promise<ProcessStream>,
): Promise<void> {
  const { socket, request, head } = upgrade;
  const stop = new AbortController();
  socket.once("close", () => stop.abort());
  let process: ProcessStream;
  try {
    process = await open({ ...wants, signal: stop.signal });
  } catch (error) {
    refuse(socket, 500, "Internal Server Error", error instanceof Error ? error.message : String(error));
    return;
  }
  if (process.kind === "url") {
    passOn(upgrade, process.url);
    return;
  }
  let streams: RemoteCommandStreams | undefined;
  if (isWebSocket(request)) {
    streams = webSocketCommand(await acceptWebSocket(upgrade, commandProtocols), wants);
  } else {
    const protocol = chooseSpdy(request, spdyCommandProtocols);
    if (protocol === undefined) refuse(socket, 403, "Forbidden", "unable to upgrade: no protocol in common");
    else {
      acceptSpdy(socket, head, protocol);
      streams = await spdyCommand(socket, wants, protocol);
    }
  }
  if (streams === undefined) {
    process.close();
    return;
  }
  await joinStreams(streams, process);
  context.logger.debug("a remote command ended");
}

export async function upgradePortForward(
  upgrade: UpgradeRequest,
  forward: PortForwardStream,
  ports: readonly number[],
): Promise<void> {
  const { socket, request, head } = upgrade;
  if (forward.kind === "url") {
    passOn(upgrade, forward.url);
    return;
  }
  if (!isWebSocket(request)) {
    const protocol = chooseSpdy(request, [portForwardProtocol]);
    if (protocol === undefined) return refuse(socket, 403, "Forbidden", "unable to upgrade: no protocol in common");
    acceptSpdy(socket, head, protocol);
    return spdyPortForward(socket, forward);
  }
  const webSocket = await acceptWebSocket(upgrade, [tunnelProtocol, "v4.channel.k8s.io"]);
  if (webSocket.protocol === tunnelProtocol) return spdyPortForward(tunnel(webSocket), forward);
  return webSocketPortForward(webSocket, forward, ports);
}

function isWebSocket({ headers }: IncomingMessage): boolean {
  return headers.upgrade?.toLowerCase() === "websocket";
}

function acceptWebSocket({ request, socket, head }: UpgradeRequest, protocols: readonly string[]): Promise<WebSocket> {
  const server = new WebSocketServer({
    noServer: true,
    maxPayload: 16 * 1024 * 1024,
    perMessageDeflate: false,
    // The server's order of preference, not the client's.
    handleProtocols: (offered) => protocols.find((protocol) => offered.has(protocol)) ?? false,
  });
  return new Promise((resolve) => server.handleUpgrade(request, socket, head, resolve));
}

function chooseSpdy({ headers }: IncomingMessage, protocols: readonly string[]): string | undefined {
  const given = headers["x-stream-protocol-version"];
  const offered = (Array.isArray(given) ? given.join(",") : (given ?? "")).split(",").map((name) => name.trim());
  // Clients of before there were versions name none: they speak the oldest.
  if (offered.every((name) => name === "")) return protocols.at(-1);
  return protocols.find((protocol) => offered.includes(protocol));
}

function acceptSpdy(socket: Duplex, head: Buffer, protocol: string): void {
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: ${protocol}\r\n\r\n`,
  );
  if (head.length > 0) socket.unshift(head);
}

/** Where the runtime serves streams itself: the client's upgrade goes there as it is, byte for byte. */
function passOn({ request, socket, head }: UpgradeRequest, url: string): void {
  const target = new URL(url);
  const upstream = connect(Number(target.port) || 80, target.hostname.replace(/^\[|\]$/g, ""));
  upstream.once("connect", () => {
    let text = `${request.method} ${target.pathname}${target.search} HTTP/1.1\r\nHost: ${target.host}\r\n`;
    for (let index = 0; index < request.rawHeaders.length; index += 2) {
      const [name = "", value = ""] = [request.rawHeaders[index], request.rawHeaders[index + 1]];
      if (!/^(host|authorization)$/i.test(name)) text += `${name}: ${value}\r\n`;
    }
    upstream.write(`${text}\r\n`);
    if (head.length > 0) upstream.write(head);
    upstream.pipe(socket);
    socket.pipe(upstream);
  });
  upstream.once("error", (error) => {
    if (upstream.bytesRead === 0) refuse(socket, 502, "Bad Gateway", `cannot reach the runtime: ${error.message}`);
    else socket.destroy();
  });
  upstream.once("close", () => socket.end());
  socket.once("close", () => upstream.destroy());
}
