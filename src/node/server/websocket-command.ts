import { Readable, Writable } from "node:stream";
import type { WebSocket } from "ws";
import type { TerminalSize } from "../../runtime/index.js";
import { parseSize, type RemoteCommandStreams } from "./remote-command.js";

export const commandProtocols: readonly string[] = ["v5.channel.k8s.io", "v4.channel.k8s.io", "channel.k8s.io"];

const channels = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4, close: 255 } as const;
const maxBuffered = 1024 * 1024;

/** A remote command over WebSocket: each message begins with its channel's number; in v5 a client can close channels. */
export function webSocketCommand(
  socket: WebSocket,
  wants: { readonly stdin: boolean; readonly stdout: boolean; readonly stderr: boolean },
): RemoteCommandStreams {
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  let resize: (size: TerminalSize) => void = () => {};
  const stdin = wants.stdin ? new Readable({ read: () => socket.resume() }) : undefined;
  socket.on("error", () => socket.terminate());
  socket.on("message", (message) => {
    const data = Array.isArray(message) ? Buffer.concat(message) : Buffer.from(message as Buffer);
    const [channel] = data;
    const payload = data.subarray(1);
    if (channel === channels.stdin && !stdin?.readableEnded) {
      if (payload.length > 0 && stdin?.push(payload) === false) socket.pause();
    } else if (channel === channels.resize) {
      const size = parseSize(payload.toString());
      if (size !== undefined) resize(size);
    } else if (channel === channels.close && payload[0] === channels.stdin) stdin?.push(null);
  });
  void closed.then(() => {
    if (stdin !== undefined && !stdin.readableEnded) stdin.push(null);
  });
  return {
    stdin,
    stdout: wants.stdout ? channelWriter(socket, channels.stdout) : undefined,
    stderr: wants.stderr ? channelWriter(socket, channels.stderr) : undefined,
    onResize(listener) {
      resize = listener;
    },
    writeStatus: (status) => send(socket, channels.error, Buffer.from(JSON.stringify(status))),
    close: () => socket.close(1000),
    closed,
  };
}

export function channelWriter(socket: WebSocket, channel: number): Writable {
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      void send(socket, channel, chunk).then(() => done());
    },
  });
}

/** Resolves when the connection takes more. */
function send(socket: WebSocket, channel: number, data: Buffer): Promise<void> {
  return new Promise((resolve) => {
    if (socket.readyState !== socket.OPEN) return resolve();
    const sent = (): void => resolve();
    socket.send(Buffer.concat([Buffer.from([channel]), data]), sent);
    if (socket.bufferedAmount < maxBuffered) resolve();
  });
}
