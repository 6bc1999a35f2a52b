import { connect } from "node:http2";
import type { ProbeOutcome } from "./prober.js";

export interface GrpcTarget {
  readonly host: string;
  readonly port: number;
  readonly service: string;
  readonly userAgent: string;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

const serving = 1;

/** Asks the standard health service (grpc.health.v1). One call does not justify a gRPC library. */
export function grpcProbe(target: GrpcTarget): Promise<ProbeOutcome> {
  const { host, port } = target;
  return new Promise((resolve) => {
    const session = connect(`http://${host.includes(":") ? `[${host}]` : host}:${port}`);
    const finish = (outcome: ProbeOutcome): void => {
      clearTimeout(timer);
      target.signal.removeEventListener("abort", late);
      session.destroy();
      resolve(outcome);
    };
    const late = (): void => {
      finish({
        result: "failure",
        output: `timeout: failed to connect service "${host}:${port}" within ${target.timeoutMs / 1000}s: context deadline exceeded`,
      });
    };
    const timer = setTimeout(late, target.timeoutMs);
    target.signal.addEventListener("abort", late, { once: true });
    const failed = (error: Error): void =>
      finish({ result: "failure", output: `error: health rpc probe failed: ${error.message}` });
    session.on("error", failed);
    const stream = session.request({
      ":method": "POST",
      ":path": "/grpc.health.v1.Health/Check",
      "content-type": "application/grpc",
      te: "trailers",
      "user-agent": target.userAgent,
    });
    const chunks: Buffer[] = [];
    let grpcStatus = "";
    stream.on("error", failed);
    stream.on("response", (headers) => {
      grpcStatus = String(headers["grpc-status"] ?? grpcStatus);
    });
    stream.on("trailers", (headers) => {
      grpcStatus = String(headers["grpc-status"] ?? grpcStatus);
    });
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("end", () => finish(judge(grpcStatus, Buffer.concat(chunks))));
    stream.end(frame(target.service));
  });
}

function judge(grpcStatus: string, body: Buffer): ProbeOutcome {
  if (grpcStatus === "12") {
    return {
      result: "failure",
      output: "error: this server does not implement the grpc health protocol (grpc.health.v1.Health)",
    };
  }
  if (grpcStatus !== "0" && grpcStatus !== "") {
    return { result: "failure", output: `error: health rpc probe failed: rpc error: code = ${grpcStatus}` };
  }
  // Field 1 of the answer, a varint: its status. Left out it is 0, unknown.
  const status = body.length > 6 && body[5] === 0x08 ? (body[6] ?? 0) : 0;
  if (status === serving) return { result: "success", output: "service healthy" };
  const names = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"];
  return { result: "failure", output: `service unhealthy (responded with "${names[status] ?? status}")` };
}

/** A gRPC message of one string field. */
function frame(service: string): Buffer {
  const name = Buffer.from(service).subarray(0, 127);
  const message = name.length === 0 ? Buffer.alloc(0) : Buffer.concat([Buffer.from([0x0a, name.length]), name]);
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}
