import type { New, Pod } from "coxswain/api";

export interface Addresses {
  readonly port: number;
  readonly ca: string;
}

/** A pod of about 3 KB once it is stored, as clusters have them. */
export function benchPod(index: number): New<Pod> {
  const env = Array.from({ length: 12 }, (_, at) => ({ name: `SETTING_${at}`, value: `value-of-setting-${at}` }));
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: `web-${String(index).padStart(6, "0")}`,
      namespace: "default",
      labels: { app: "web", tier: "front", release: `r${index % 10}` },
      annotations: { "example.com/owner": "team-a", "example.com/notes": "x".repeat(200) },
    },
    spec: {
      containers: [
        {
          name: "main",
          image: "registry.example.com/team/web:1.2.3",
          env,
          ports: [{ name: "http", containerPort: 8080 }],
          resources: { requests: { cpu: "100m", memory: "128Mi" }, limits: { memory: "256Mi" } },
          readinessProbe: { httpGet: { path: "/healthz", port: "http" }, periodSeconds: 5 },
        },
      ],
    },
  };
}
