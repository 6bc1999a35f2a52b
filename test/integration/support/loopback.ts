import { connect, type Server, type Socket } from "node:net";

export async function listen(server: Server, ip: string, port: number): Promise<AsyncDisposable> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject).listen(port, ip, resolve);
  });
  return {
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** Sends back what it got, once it has got all. */
export function echoEverything(socket: Socket): void {
  const parts: Buffer[] = [];
  socket.on("data", (part: Buffer) => parts.push(part));
  socket.on("end", () => socket.end(Buffer.concat(parts)));
  socket.on("error", () => {});
}

/**
 * Sends the text and its end, and gives everything that came back. Without a text nothing is sent, not even the end.
 * `wait` holds the text back after connecting.
 */
export function ask(
  host: string,
  port: number,
  text: string | undefined,
  wait: (socket: Socket) => Promise<unknown> = async () => {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, allowHalfOpen: true });
    const parts: Buffer[] = [];
    let failure: Error | undefined;
    socket.on("connect", () => {
      if (text !== undefined) void wait(socket).then(() => socket.end(text));
    });
    socket.on("data", (part: Buffer) => parts.push(part));
    socket.on("end", () => socket.end());
    socket.on("error", (error) => {
      failure = error;
    });
    socket.on("close", () => {
      if (failure === undefined) resolve(Buffer.concat(parts).toString());
      else reject(failure);
    });
  });
}
