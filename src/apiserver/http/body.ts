import { type Decoded, DecodeError } from "../../api/decode/decode-error.js";
import { decodeJson } from "../../api/decode/json.js";
import { decodeYaml } from "../../api/decode/yaml.js";
import { statusErrors } from "../../api/index.js";
import { mediaTypeOf, mediaTypes, protobufType } from "./negotiate.js";
import type { WireRequest } from "./wire.js";

export const defaultBodyLimitBytes: number = 3 * 1024 * 1024;

/**
 * Reads a whole body. Throws 413 as soon as it is known to be longer than the limit; the rest is then not read. An abort of
 * the client rejects with 400, which nobody will see.
 */
export function readBody(request: WireRequest, limitBytes: number): Promise<Buffer> {
  const length = Number(request.headers["content-length"] ?? "0");
  if (length > limitBytes) return Promise.reject(tooLarge(limitBytes));
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const settle = (act: () => void): void => {
      request.off("data", onData);
      request.off("end", onEnd);
      request.off("error", onError);
      request.off("close", onClose);
      act();
    };
    const onData = (chunk: Buffer): void => {
      size += chunk.length;
      if (size > limitBytes) {
        settle(() => reject(tooLarge(limitBytes)));
        request.pause();
        return;
      }
      chunks.push(chunk);
    };
    const onEnd = (): void =>
      settle(() => resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, size)));
    const onError = (cause: Error): void =>
      settle(() => reject(statusErrors.badRequest("the body of the request could not be read", { cause })));
    const onClose = (): void => onError(new Error("the client went away"));
    request.on("data", onData);
    request.on("end", onEnd);
    request.on("error", onError);
    request.on("close", onClose);
  });
}

function tooLarge(limitBytes: number): Error {
  return statusErrors.requestEntityTooLarge(`Request entity too large: limit is ${limitBytes}`);
}

/** Turns a body into a value, bounded in depth; `type` is JSON's bare media type, or YAML's. Throws StatusError. */
export type BodyDecoder = (bytes: Buffer, type: string) => Decoded;

/** The media type of a body that is an object, which may be protobuf or not. Throws 415. */
export function objectTypeOf(contentType: string | undefined, protobuf: boolean): string {
  const type = contentType === undefined || contentType === "" ? "application/json" : mediaTypeOf(contentType);
  if (!mediaTypes.includes(type) || (type === protobufType && !protobuf))
    throw statusErrors.unsupportedMediaType(mediaTypes);
  return type;
}

export const decodeBody: BodyDecoder = (bytes, type) => {
  try {
    return type === "application/yaml" ? decodeYaml(bytes) : decodeJson(bytes);
  } catch (error) {
    throw error instanceof DecodeError ? error.toStatusError() : error;
  }
};
