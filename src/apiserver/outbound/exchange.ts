import { request as httpRequest, type IncomingHttpHeaders } from "node:http";
import { request as httpsRequest, type RequestOptions } from "node:https";

export interface Answer {
  readonly code: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

export interface Question extends RequestOptions {
  readonly body?: Buffer;
  /** A longer answer is an error. */
  readonly limitBytes: number;
  /** Without TLS. */
  readonly plain?: boolean;
}

/** One request to another server and its whole answer, whatever its code. Follows no redirects. */
export function exchange({ body, limitBytes, plain = false, ...options }: Question): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = (plain ? httpRequest : httpsRequest)(options, (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on("data", (chunk: Buffer) => {
        size += chunk.length;
        chunks.push(chunk);
        if (size > limitBytes) response.destroy(new Error("the answer is too large"));
      });
      response.on("error", reject);
      response.on("end", () => {
        const text = Buffer.concat(chunks).toString("utf8");
        resolve({ code: response.statusCode ?? 0, headers: response.headers, text });
      });
    });
    request.on("error", reject);
    request.end(body);
  });
}
