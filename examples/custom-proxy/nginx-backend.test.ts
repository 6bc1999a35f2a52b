import { startControlPlane } from "coxswain";
import { deployments, services } from "coxswain/api";
import { createProxy } from "coxswain/proxy";
import { makeDeployment, makeService } from "coxswain/testing";
import { expect, test, vi } from "vitest";
import { nginxBackend } from "./nginx-backend.js";

test("it follows the services of a cluster", async () => {
  const written: string[] = [];
  await using cp = await startControlPlane({ nodes: 2 });
  const stop = new AbortController();
  const backend = nginxBackend(async (config) => {
    written.push(config);
  });
  const proxy = createProxy({ client: cp.client, backend, nodeName: "node-0" });
  const running = proxy.run({ signal: stop.signal, ready: () => {} });
  await cp.client.create(deployments, makeDeployment("web", { replicas: 3 }));
  const { spec } = await cp.client.create(services, makeService("web"));
  await vi.waitFor(() => expect(written.at(-1)?.match(/server 10\.244\.\d+\.\d+:80;/g)).toHaveLength(3), 10_000);
  expect(written.at(-1)).toContain(`server { listen ${spec?.clusterIP}:80; proxy_pass default_web`);
  stop.abort();
  await running;
  expect(written.at(-1)).toBe("");
});
