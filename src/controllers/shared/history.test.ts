import { expect, test } from "vitest";
import type { PodTemplateSpec } from "../../api/index.js";
import { revisionData } from "./history.js";

test.each<{ readonly name: string; readonly template: PodTemplateSpec; readonly text: string }>([
  {
    name: "keys in order",
    template: {
      spec: { dnsPolicy: "Default", containers: [{ name: "c", image: "i" }] },
      metadata: { labels: { a: "b" } },
    },
    text: '{"spec":{"template":{"$patch":"replace","metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"image":"i","name":"c","resources":{}}],"dnsPolicy":"Default"}}}}',
  },
  {
    name: "what has no size of its own",
    template: {
      spec: {
        containers: [{ name: "c", env: [{ name: "E", valueFrom: { resourceFieldRef: { resource: "limits.cpu" } } }] }],
        initContainers: [{ name: "i", resources: { limits: { cpu: "1" } } }],
      },
    },
    text: '{"spec":{"template":{"$patch":"replace","metadata":{},"spec":{"containers":[{"env":[{"name":"E","valueFrom":{"resourceFieldRef":{"divisor":"0","resource":"limits.cpu"}}}],"name":"c","resources":{}}],"initContainers":[{"name":"i","resources":{"limits":{"cpu":"1"}}}]}}}}',
  },
  {
    name: "volumes",
    template: {
      spec: {
        containers: [],
        volumes: [
          { name: "d", downwardAPI: { items: [{ path: "p", resourceFieldRef: { resource: "r", divisor: "1" } }] } },
          { name: "e", ephemeral: { volumeClaimTemplate: { spec: { accessModes: ["ReadWriteOnce"] } } } },
          {
            name: "p",
            projected: { sources: [{ downwardAPI: { items: [{ path: "p", resourceFieldRef: { resource: "r" } }] } }] },
          },
        ],
      },
    },
    text: '{"spec":{"template":{"$patch":"replace","metadata":{},"spec":{"containers":[],"volumes":[{"downwardAPI":{"items":[{"path":"p","resourceFieldRef":{"divisor":"1","resource":"r"}}]},"name":"d"},{"ephemeral":{"volumeClaimTemplate":{"metadata":{},"spec":{"accessModes":["ReadWriteOnce"],"resources":{}}}},"name":"e"},{"name":"p","projected":{"sources":[{"downwardAPI":{"items":[{"path":"p","resourceFieldRef":{"divisor":"0","resource":"r"}}]}}]}}]}}}}',
  },
])("a revision is written as upstream writes it: $name", ({ template, text }) => {
  expect(JSON.stringify(revisionData(template))).toBe(text);
});
