// Talks to a URL of the runtime's streaming server over WebSocket, as `node stream-client.mjs URL [--port N] [input]`; prints
// what came by channel as JSON. It is run inside a node's network namespace.
import { WebSocket } from "ws";

const [, , url, ...rest] = process.argv;
const port = rest[0] === "--port";
const input = port ? rest[2] : rest[0];
const socket = new WebSocket(url.replace(/^http/, "ws") + (port ? `?port=${rest[1]}` : ""), "v4.channel.k8s.io");
const channels = {};
socket.on("message", (data) => {
  const frame = Buffer.from(data);
  channels[frame[0]] = Buffer.concat([channels[frame[0]] ?? Buffer.alloc(0), frame.subarray(1)]);
  // Each of a port's two channels begins with its number.
  if (port && (channels[0]?.includes("\n\n") || channels[0]?.includes("\r\n\r\n"))) socket.close();
  if (!port && input !== undefined && channels[1]?.includes(input)) socket.close();
});
socket.on("open", () => {
  if (input !== undefined) socket.send(Buffer.concat([Buffer.from([0]), Buffer.from(`${input}\n`)]));
});
socket.on("error", (error) => {
  console.error(String(error));
  process.exit(1);
});
socket.on("close", () => {
  console.log(
    JSON.stringify(Object.fromEntries(Object.entries(channels).map(([name, data]) => [name, data.toString()]))),
  );
});
