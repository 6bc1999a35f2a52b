/** What several topics start from. */
export const web = `apiVersion: apps/v1
kind: Deployment
metadata: { name: web, labels: { app: web } }
spec:
  replicas: 2
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      containers:
      - name: c
        image: nginx:1
        ports: [{ containerPort: 80, name: http }]
---
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { selector: { app: web }, ports: [{ port: 80, targetPort: http }] }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: web }
data: { a: "1" }
`;

export const pod = `apiVersion: v1
kind: Pod
metadata: { name: solo, labels: { app: solo } }
spec: { containers: [{ name: c, image: busybox }] }
`;

/** One document: in JSON, because the old kubectl takes a brace at the beginning for it. */
export function json(apiVersion: string, kind: string, name: string, rest: object): string {
  const { metadata = {}, ...fields } = rest as { readonly metadata?: object };
  return `${JSON.stringify({ apiVersion, kind, metadata: { name, ...metadata }, ...fields })}\n`;
}
