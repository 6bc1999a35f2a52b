import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Blob, OciImage } from "./oci-image.js";

/**
 * Serves images of this process to container runtimes, by the read-only part of the OCI distribution protocol, over plain HTTP. A repository
 * has the same image under every tag.
 */
export class ImageRegistry {
  readonly #blobs = new Map<string, Blob>();
  readonly #manifests = new Map<string, Blob>();
  #server: Server | undefined;

  /** Replaces what the repository had. */
  add(repository: string, { manifest, config, layer }: OciImage): void {
    for (const blob of [manifest, config, layer]) this.#blobs.set(blob.digest, blob);
    this.#manifests.set(repository, manifest);
  }

  get repositories(): readonly string[] {
    return [...this.#manifests.keys()];
  }

  /** Listens on a free port of the address; resolves with the URL. */
  async listen(address: string): Promise<string> {
    const server = createServer((request, response) => this.#answer(request, response));
    this.#server = server;
    server.listen(0, address);
    await once(server, "listening");
    const bound = server.address();
    if (bound === null || typeof bound === "string") throw new Error("a TCP server has a port");
    return `http://${address}:${bound.port}`;
  }

  async close(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeAllConnections();
    await closed;
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { method = "", url = "/" } = request;
    request.resume();
    if (method !== "GET" && method !== "HEAD") {
      refuse(response, 405, "UNSUPPORTED");
      return;
    }
    const path = url.split("?")[0] ?? "";
    if (path === "/v2/" || path === "/v2") {
      response.setHeader("docker-distribution-api-version", "registry/2.0").end("{}");
      return;
    }
    const match = /^\/v2\/([a-z0-9._/-]+)\/(manifests|blobs)\/([\w.:-]+)$/.exec(path);
    const [, repository = "", kind, reference = ""] = match ?? [];
    if (match === null || !this.#manifests.has(repository)) {
      refuse(response, 404, "NAME_UNKNOWN");
      return;
    }
    const tagged = kind === "manifests" && !reference.startsWith("sha256:");
    const blob = tagged ? this.#manifests.get(repository) : this.#blobs.get(reference);
    if (blob === undefined) {
      refuse(response, 404, kind === "blobs" ? "BLOB_UNKNOWN" : "MANIFEST_UNKNOWN");
      return;
    }
    response.setHeader("content-type", kind === "blobs" ? "application/octet-stream" : blob.mediaType);
    response.setHeader("docker-content-digest", blob.digest);
    response.setHeader("content-length", blob.data.length);
    response.end(method === "HEAD" ? undefined : blob.data);
  }
}

function refuse(response: ServerResponse, status: number, code: string): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify({ errors: [{ code, message: code.toLowerCase().replaceAll("_", " ") }] }));
}
