import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** One address in front of several servers, as a load balancer is: it passes connections on and knows nothing of what is in them. */
export interface Balancer extends AsyncDisposable {
  readonly port: number;
  /** Breaks all connections there are; new ones are taken as before. */
  cut(): void;
}

/** Each connection goes to the next server that takes it; one to a server that dies is cut. All on loopback. */
export async function startBalancer(ports: readonly number[]): Promise<Balancer> {
  const sockets = new Set<Socket>();
  let turn = 0;
  const keep = (socket: Socket): void => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
  };
  const passOn = (client: Socket, left: number): void => {
    const port = ports[turn++ % ports.length];
    if (port === undefined || left === 0) {
      client.destroy();
      return;
    }
    const server = connect({ host: "127.0.0.1", port });
    keep(server);
    const refused = (): void => passOn(client, left - 1);
    server.once("error", refused);
    server.once("connect", () => {
      server.off("error", refused);
      client.pipe(server);
      server.pipe(client);
      client.on("close", () => server.destroy());
      server.on("close", () => client.destroy());
    });
  };
  const listener = createServer((client) => {
    keep(client);
    passOn(client, ports.length);
  });
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  return {
    port: (listener.address() as AddressInfo).port,
    cut,
    async [Symbol.asyncDispose]() {
      cut();
      await new Promise((resolve) => listener.close(resolve));
    },
  };
}
