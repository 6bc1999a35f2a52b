import type { WireResponse } from "./wire.js";

/** How many requests may wait on one connection. Programs send none ahead; who sends more is cut. */
const maxWaiting = 32;

interface Connection {
  readonly destroyed: boolean;
  destroy(): unknown;
}

/**
 * Serves the requests of an HTTP/1.1 connection one after the other, however many were sent ahead: answers that have to wait for
 * another would be held in memory, and when the connection goes nobody tells them.
 */
export class Pipelines {
  readonly #waiting = new WeakMap<Connection, (() => void)[]>();

  run(connection: Connection, response: WireResponse, serve: () => void): void {
    const start = (): void => {
      response.on("close", () => this.#next(connection));
      serve();
    };
    const waiting = this.#waiting.get(connection);
    if (waiting === undefined) {
      this.#waiting.set(connection, []);
      start();
    } else if (waiting.length < maxWaiting) waiting.push(start);
    else connection.destroy();
  }

  #next(connection: Connection): void {
    const start = connection.destroyed ? undefined : this.#waiting.get(connection)?.shift();
    if (start === undefined) this.#waiting.delete(connection);
    else start();
  }
}
