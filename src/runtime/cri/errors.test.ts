import { Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { expect, test } from "vitest";
import { imageError, isNotServing, runtimeError } from "./errors.js";

function failed(code: status, details: string): ServiceError {
  return Object.assign(new Error(`${code}: ${details}`), { code, details, metadata: new Metadata() });
}

test.each([
  { name: "by status", code: status.NOT_FOUND, details: "no container", expected: "not-found" },
  { name: "unreachable", code: status.UNAVAILABLE, details: "No connection", expected: "unavailable" },
  {
    name: "a name that is taken, in words alone",
    code: status.UNKNOWN,
    details: `failed to reserve container name "c_web": name "c_web" is reserved for "1f"`,
    expected: "already-exists",
  },
  {
    name: "a container that does not run, in words alone",
    code: status.UNKNOWN,
    details: "failed to exec in container: container is in CONTAINER_EXITED state",
    expected: "failed-precondition",
  },
  {
    name: "a command that took too long",
    code: status.UNKNOWN,
    details: `failed to exec in container: timeout 1s exceeded: context deadline exceeded`,
    expected: "deadline-exceeded",
  },
  {
    name: "a runtime that is not ready to serve, in words alone",
    code: status.UNKNOWN,
    details: "server is not initialized yet",
    expected: "unavailable",
  },
  { name: "anything else", code: status.UNKNOWN, details: "out of inodes", expected: "internal" },
])("$name", ({ code, details, expected }) => {
  const error = failed(code, details);
  expect(runtimeError(error)).toMatchObject({ code: expected, message: details, cause: error });
});

test("what a pull does not find is the image", () => {
  expect(imageError(runtimeError(failed(status.NOT_FOUND, "no manifest")))).toMatchObject({ code: "image-not-found" });
  expect(imageError(runtimeError(failed(status.UNAVAILABLE, "gone")))).toMatchObject({ code: "unavailable" });
});

test.each([
  {
    name: "no connection",
    code: status.UNAVAILABLE,
    details: "No connection established. Last error: ENOENT",
    expected: true,
  },
  { name: "not yet initialized", code: status.UNKNOWN, details: "server is not initialized yet", expected: true },
  {
    name: "a connection that broke, perhaps after the call was done",
    code: status.UNAVAILABLE,
    details: "Connection dropped",
    expected: false,
  },
  { name: "the call's own failure", code: status.NOT_FOUND, details: "no container", expected: false },
])("may be sent again: $name", ({ code, details, expected }) => {
  expect(isNotServing(runtimeError(failed(code, details)))).toBe(expected);
});
