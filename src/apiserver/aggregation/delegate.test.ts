import { describe, expect, it } from "vitest";
import { dialError } from "../proxy/dial-errors.js";
import { remoteUserHeaders } from "./remote-user.js";

describe("who asks, as told to a server behind this one", () => {
  it("has groups one by one, and escapes what no header name may have", () => {
    const extra = { "example.com/Role%": ["a", "b"], empty: [] };
    expect(remoteUserHeaders({ username: "jürgen", uid: "7", groups: ["a,b", "c"], extra })).toEqual({
      "X-Remote-User": Buffer.from("jürgen").toString("latin1"),
      "X-Remote-Uid": "7",
      "X-Remote-Group": ["a,b", "c"],
      "X-Remote-Extra-example.com%2FRole%25": ["a", "b"],
    });
  });

  it("has no header for what is not known", () => {
    expect(remoteUserHeaders({ username: "a", groups: [] })).toEqual({ "X-Remote-User": "a" });
  });
});

describe("why there is no connection", () => {
  const failure = (code: string): Error => Object.assign(new Error("as Node says it"), { code });

  it.each([
    ["ECONNREFUSED", "10.0.0.1", "dial tcp 10.0.0.1:443: connect: connection refused"],
    ["EHOSTUNREACH", "fd00::1", "dial tcp [fd00::1]:443: connect: no route to host"],
    [
      "CERT_HAS_EXPIRED",
      "10.0.0.1",
      "tls: failed to verify certificate: x509: certificate has expired or is not yet valid",
    ],
    [
      "DEPTH_ZERO_SELF_SIGNED_CERT",
      "a",
      "tls: failed to verify certificate: x509: certificate signed by unknown authority",
    ],
    ["EOTHER", "a", "as Node says it"],
  ])("%s is said in upstream's words", (code, host, message) => {
    const error = dialError(failure(code), { host, port: 443 });
    expect(error.message).toBe(message);
    expect(error.cause).toMatchObject({ code });
  });
});
