import { createServer } from "node:http";

/** What is to be read at a path. Text without a type is plain. */
export interface Page {
  readonly code: number;
  readonly text: string;
  readonly contentType?: string | undefined;
}

/** Gives the page at a path, made anew each time; undefined: there is none. */
export type Pages = (path: string) => Page | undefined;

/** Serves pages over HTTP. Resolves when listening, rejects when that is not to be had; what it gives is disposed to stop. */
export type PageListener = (pages: Pages) => Promise<AsyncDisposable>;

const maxConnections = 100;

/** Listens on `host` and `port` of this very process's network. */
export function listenForPages(host: string, port: number): PageListener {
  return async (pages) => {
    const server = createServer(({ method = "", url = "" }, response) => {
      const reads = method === "GET" || method === "HEAD";
      const page = reads ? pages(url.split("?", 1)[0] ?? "") : { code: 405, text: "Method Not Allowed\n" };
      const { code, text, contentType } = page ?? { code: 404, text: "404 page not found\n", contentType: undefined };
      response.writeHead(code, {
        "Content-Type": contentType ?? "text/plain; charset=utf-8",
        "X-Content-Type-Options": "nosniff",
        ...(reads ? {} : { Allow: "GET, HEAD" }),
      });
      response.end(text);
    });
    server.maxConnections = maxConnections;
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, host, () => {
        server.removeListener("error", reject);
        resolve();
      });
    });
    return {
      async [Symbol.asyncDispose]() {
        const closed = new Promise<void>((resolve) => server.close(() => resolve()));
        server.closeAllConnections();
        await closed;
      },
    };
  };
}
