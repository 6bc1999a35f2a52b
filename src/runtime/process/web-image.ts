/**
 * The program of the built-in image `coxswain/web`: answers every request with its pod's name, on the pod's own address and
 * `PORT` (default 8080). `/healthz` says ok, `/env` shows a variable, `/delay?ms=` takes its time.
 */
export const webServerSource = `import { createServer } from "node:http";
const name = process.env.POD_NAME ?? process.env.HOSTNAME ?? "unknown";
const port = Number(process.env.PORT ?? 8080);
const server = createServer((request, response) => {
  const url = new URL(request.url ?? "/", "http://pod");
  console.log(request.method + " " + url.pathname);
  const answer = (text) => response.setHeader("content-type", "text/plain").end(text + "\\n");
  if (url.pathname === "/healthz") return answer("ok");
  if (url.pathname === "/env") return answer(process.env[url.searchParams.get("name") ?? ""] ?? "");
  if (url.pathname === "/delay") return void setTimeout(() => answer(name), Number(url.searchParams.get("ms") ?? 0));
  answer(name + (process.env.VERSION ? " " + process.env.VERSION : ""));
});
server.listen(port, process.env.HOST ?? "127.0.0.1", () => console.log(name + " listens on " + port));
server.on("error", (error) => { console.error(String(error)); process.exit(1); });
process.on("SIGTERM", () => { server.close(() => process.exit(0)); server.closeIdleConnections(); setTimeout(() => process.exit(0), 1000); });
`;
