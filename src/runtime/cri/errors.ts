import type { ServiceError } from "@grpc/grpc-js";
import { RuntimeError, type RuntimeErrorCode } from "../errors.js";

/** By gRPC's status numbers. */
const codes: Readonly<Record<number, RuntimeErrorCode>> = {
  3: "invalid",
  4: "deadline-exceeded",
  5: "not-found",
  6: "already-exists",
  9: "failed-precondition",
  12: "unimplemented",
  14: "unavailable",
};

/** A containerd that listens already, but has not yet recovered what it ran. Nothing of the call was done. */
const notInitialized = /server is not initialized yet/;

/**
 * containerd gives many errors the status Unknown and says in words alone what they are. The order matters: an image's or a container's
 * state comes before what caused it.
 */
const wordings: readonly [RegExp, RuntimeErrorCode][] = [
  [/is in (?:CONTAINER|SANDBOX)_\w+ state|is not running|sandbox .* not ready/, "failed-precondition"],
  [/is reserved for/, "already-exists"],
  [/context deadline exceeded|timeout \S+ exceeded/, "deadline-exceeded"],
  [/invalid reference format/, "invalid"],
  [notInitialized, "unavailable"],
];

/** The words are containerd's own; the error of gRPC, with its status, is the cause. */
export function runtimeError(error: ServiceError): RuntimeError {
  const message = error.details || error.message;
  const known = codes[error.code];
  const code = known ?? wordings.find(([pattern]) => pattern.test(message))?.[1] ?? "internal";
  return new RuntimeError(code, message, { cause: error });
}

/** Whether the runtime is just restarting, or down, and has done nothing of the call. */
export function isNotServing(error: unknown): boolean {
  if (!(error instanceof RuntimeError) || error.code !== "unavailable") return false;
  return error.message.startsWith("No connection established") || notInitialized.test(error.message);
}

/** What is not found in a pull is the image. */
export function imageError(error: unknown): unknown {
  if (!(error instanceof RuntimeError) || error.code !== "not-found") return error;
  return new RuntimeError("image-not-found", error.message, { cause: error.cause });
}
