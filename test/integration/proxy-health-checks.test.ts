import { createServer } from "node:net";
import { expect, test } from "vitest";
import { listenForHealthChecks, listenForPages, type ServiceHealth } from "../../src/proxy/index.js";
import { listen } from "./support/loopback.js";

test("a load balancer learns whether a node has endpoints of a service", async () => {
  let health: ServiceHealth = { namespace: "default", name: "web", localEndpoints: 2, proxyHealthy: true };
  const ip = `127.${100 + (process.pid % 100)}.77.1`;
  const listening = await listenForHealthChecks(ip)(32_000, () => health);
  const ask = async (): Promise<Response> => fetch(`http://${ip}:32000/`, { headers: { connection: "close" } });
  const good = await ask();
  expect(good.status).toBe(200);
  expect(good.headers.get("content-type")).toBe("application/json");
  expect(good.headers.get("x-load-balancing-endpoint-weight")).toBe("2");
  expect(await good.json()).toEqual({
    service: { namespace: "default", name: "web" },
    localEndpoints: 2,
    serviceProxyHealthy: true,
  });
  health = { ...health, localEndpoints: 0 };
  expect((await ask()).status).toBe(503);
  health = { ...health, localEndpoints: 1, proxyHealthy: false };
  expect((await ask()).status).toBe(503);
  await expect(listenForHealthChecks(ip)(32_000, () => health)).rejects.toThrow(/EADDRINUSE/);
  await listening[Symbol.asyncDispose]();
  // The port is free again.
  await (await listen(createServer(), ip, 32_000))[Symbol.asyncDispose]();
});

test("pages are there to be read, and only that", async () => {
  const ip = `127.${100 + (process.pid % 100)}.77.2`;
  const listening = await listenForPages(
    ip,
    32_001,
  )((path) => (path === "/livez" ? { code: 503, text: "{}", contentType: "application/json" } : undefined));
  const ask = (path: string, method = "GET"): Promise<Response> =>
    fetch(`http://${ip}:32001${path}`, { method, headers: { connection: "close" } });
  const page = await ask("/livez?verbose");
  expect([page.status, page.headers.get("content-type"), await page.text()]).toEqual([503, "application/json", "{}"]);
  expect((await ask("/")).status).toBe(404);
  expect((await ask("/livez", "POST")).status).toBe(405);
  await expect(listenForPages(ip, 32_001)(() => undefined)).rejects.toThrow(/EADDRINUSE/);
  await listening[Symbol.asyncDispose]();
  await (await listen(createServer(), ip, 32_001))[Symbol.asyncDispose]();
});
