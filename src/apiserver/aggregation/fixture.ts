import type { APIService, EndpointSlice, New, Service } from "../../api/index.js";
import type { FetchAnswer } from "./backend-fetch.js";
import type { RemoteService } from "./remote-services.js";

export function makeRemote(more: Partial<RemoteService> = {}): RemoteService {
  return {
    name: "v1.wardle.example.com",
    group: "wardle.example.com",
    version: "v1",
    service: { namespace: "default", name: "wardle", port: 443 },
    authority: undefined,
    insecureSkipTlsVerify: true,
    available: true,
    groupPriority: 2000,
    versionPriority: 10,
    ...more,
  };
}

export function makeApiService(spec: Partial<NonNullable<APIService["spec"]>> = {}): New<APIService> {
  const { name, group, version, service, groupPriority, versionPriority } = makeRemote();
  return {
    apiVersion: "apiregistration.k8s.io/v1",
    kind: "APIService",
    metadata: { name },
    spec: {
      group,
      version,
      groupPriorityMinimum: groupPriority,
      versionPriority,
      service,
      insecureSkipTLSVerify: true,
      ...spec,
    },
  };
}

export function makeService(port = 443): New<Service> {
  const { namespace, name } = makeRemote().service;
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { namespace, name },
    spec: { type: "ClusterIP", clusterIP: "10.96.0.7", ports: [{ name: "https", port, protocol: "TCP" }] },
  };
}

export function makeSlice({
  ready = true,
  port = "https",
}: {
  readonly ready?: boolean;
  readonly port?: string;
} = {}): New<EndpointSlice> {
  const { namespace, name } = makeRemote().service;
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { namespace, name: `${name}-1`, labels: { "kubernetes.io/service-name": name } },
    addressType: "IPv4",
    endpoints: [{ addresses: ["10.0.0.1"], conditions: { ready } }],
    ports: [{ name: port, port: 8443, protocol: "TCP" }],
  };
}

export function answer(code: number, body: unknown = {}, headers: FetchAnswer["headers"] = {}): FetchAnswer {
  return { url: "https://10.0.0.1:8443/x", code, headers, body: Buffer.from(JSON.stringify(body)) };
}
