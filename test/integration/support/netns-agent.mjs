// Runs in a network namespace: serves and dials as it is told, a JSON line each way. Ends with its input.
import { createSocket } from "node:dgram";
import { connect, createServer } from "node:net";
import { createInterface } from "node:readline";

const answer = (id, result) => process.stdout.write(`${JSON.stringify({ id, ...result })}\n`);

function serve({ ip, port, name }) {
  const tcp = new Promise((resolve, reject) => {
    const server = createServer((socket) => {
      socket.on("error", () => {});
      socket.end(`${name} ${socket.remoteAddress}\n`);
      socket.resume();
    });
    server.once("error", reject).listen(port, ip, resolve);
  });
  const udp = new Promise((resolve, reject) => {
    const socket = createSocket(ip.includes(":") ? "udp6" : "udp4");
    socket.on("message", (_, from) => socket.send(`${name} ${from.address}\n`, from.port, from.address));
    socket.once("error", reject).bind(port, ip, resolve);
  });
  return Promise.all([tcp, udp]).then(() => ({}));
}

const answered = (text) => {
  const [by, source] = text.trim().split(" ");
  return { outcome: "answered", by: Number(by), source };
};
const failed = (error) => ({ outcome: error.code === "ECONNREFUSED" ? "refused" : "silent", code: error.code });

function dialTcp({ to, port, source, sourcePort, timeoutMs }) {
  return new Promise((resolve) => {
    const socket = connect({ host: to, port, localAddress: source, localPort: sourcePort });
    let text = "";
    const timer = setTimeout(() => done({ outcome: "silent" }), timeoutMs);
    const done = (result) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(result);
    };
    socket.on("data", (part) => {
      text += part;
    });
    socket.on("end", () => done(text === "" ? { outcome: "refused" } : answered(text)));
    socket.on("error", (error) => done(error.code === "ECONNRESET" ? { outcome: "refused" } : failed(error)));
  });
}

function dialUdp({ to, port, source, sourcePort, timeoutMs }) {
  return new Promise((resolve) => {
    const socket = createSocket(to.includes(":") ? "udp6" : "udp4");
    const timer = setTimeout(() => done({ outcome: "silent" }), timeoutMs);
    const done = (result) => {
      clearTimeout(timer);
      socket.close(() => resolve(result));
    };
    socket.on("message", (message) => done(answered(String(message))));
    socket.on("error", (error) => done(failed(error)));
    socket.bind(sourcePort ?? 0, source, () => socket.connect(port, to, () => socket.send("?")));
  });
}

createInterface({ input: process.stdin }).on("line", async (line) => {
  const request = JSON.parse(line);
  try {
    if (request.op === "serve") answer(request.id, await serve(request));
    else answer(request.id, await (request.protocol === "UDP" ? dialUdp(request) : dialTcp(request)));
  } catch (error) {
    answer(request.id, { error: String(error) });
  }
});
process.stdin.on("end", () => process.exit(0));
