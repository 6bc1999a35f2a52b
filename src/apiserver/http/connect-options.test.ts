import { describe, expect, it } from "vitest";
import { connectOptions, queryOfOptions } from "./connect-options.js";
import type { ResourceRequestInfo } from "./request-info.js";

const info = (resource: string, subresource: string, rest = ""): ResourceRequestInfo => ({
  type: "resource",
  verb: "get",
  group: "",
  version: "v1",
  namespace: "default",
  resource,
  subresource,
  name: "web",
  rest,
});

describe("what admission sees of a connect", () => {
  it.each<[string, ResourceRequestInfo, string, object | undefined]>([
    [
      "exec",
      info("pods", "exec"),
      "command=ls&command=-l&stdin=true&tty=false&container=c&stdout=1",
      { kind: "PodExecOptions", apiVersion: "v1", stdin: true, stdout: true, container: "c", command: ["ls", "-l"] },
    ],
    ["attach", info("pods", "attach"), "stderr=true", { kind: "PodAttachOptions", apiVersion: "v1", stderr: true }],
    [
      "port-forward",
      info("pods", "portforward"),
      "ports=80,81&ports=90",
      { kind: "PodPortForwardOptions", apiVersion: "v1", ports: [80, 81, 90] },
    ],
    [
      "a service's proxy",
      info("services", "proxy", "/a/b"),
      "x=1",
      { kind: "ServiceProxyOptions", apiVersion: "v1", path: "/a/b" },
    ],
    ["a log", info("pods", "log"), "", undefined],
  ])("of %s", (_, request, query, options) => {
    expect(connectOptions(request, query)).toEqual(options);
  });

  it("can be changed, and what it does not know stays", () => {
    const exec = info("pods", "exec");
    const options = {
      ...connectOptions(exec, "command=ls&stdin=true"),
      stdin: false,
      tty: true,
      command: ["id", "-u"],
    };
    expect(queryOfOptions(exec, options, "command=ls&stdin=true&other=1")).toBe(
      "other=1&tty=true&command=id&command=-u",
    );
  });
});
