import { expect, test } from "vitest";
import { makeService } from "../../testing/builders.js";
import { serviceEnv, servicesFor } from "./service-env.js";

const service = (
  namespace: string,
  name: string,
  clusterIP: string,
  ports: { port: number; name?: string; protocol?: string }[],
) => {
  const made = makeService(name, { namespace });
  return { ...made, spec: { ...made.spec, clusterIP, ports } };
};

test("a service's variables are those of upstream", () => {
  const env = serviceEnv([
    service("default", "my-web", "10.0.0.1", [
      { port: 80, name: "http" },
      { port: 53, protocol: "UDP" },
    ]),
  ]);
  expect(Object.fromEntries(env)).toEqual({
    MY_WEB_SERVICE_HOST: "10.0.0.1",
    MY_WEB_SERVICE_PORT: "80",
    MY_WEB_SERVICE_PORT_HTTP: "80",
    MY_WEB_PORT: "tcp://10.0.0.1:80",
    MY_WEB_PORT_80_TCP: "tcp://10.0.0.1:80",
    MY_WEB_PORT_80_TCP_PROTO: "tcp",
    MY_WEB_PORT_80_TCP_PORT: "80",
    MY_WEB_PORT_80_TCP_ADDR: "10.0.0.1",
    MY_WEB_PORT_53_UDP: "udp://10.0.0.1:53",
    MY_WEB_PORT_53_UDP_PROTO: "udp",
    MY_WEB_PORT_53_UDP_PORT: "53",
    MY_WEB_PORT_53_UDP_ADDR: "10.0.0.1",
  });
});

test("headless services have none", () => {
  expect(serviceEnv([service("default", "h", "None", [{ port: 80 }])]).size).toBe(0);
});

test("a pod hears of its own namespace, if it wants, and of the API server always", () => {
  const all = [
    service("default", "kubernetes", "10.0.0.1", [{ port: 443 }]),
    service("default", "other", "10.0.0.2", [{ port: 80 }]),
    service("mine", "own", "10.0.0.3", [{ port: 80 }]),
  ];
  const names = (links: boolean): string[] => servicesFor(all, "mine", links).map(({ metadata }) => metadata.name);
  expect(names(true)).toEqual(["kubernetes", "own"]);
  expect(names(false)).toEqual(["kubernetes"]);
});
