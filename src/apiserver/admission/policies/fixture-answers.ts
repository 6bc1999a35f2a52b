import { type Deployment, isStatusError, type New, type Status } from "../../../api/index.js";

export function deployment(name: string, replicas: number, labels: Record<string, string> = {}): New<Deployment> {
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name, namespace: "default", labels },
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: "c", image: "web:1" }] } },
    },
  };
}

/** "" when it was taken. */
export async function answer(act: Promise<unknown>): Promise<string> {
  return (await refusal(act))?.message ?? "";
}

export async function refusal(act: Promise<unknown>): Promise<Status | undefined> {
  try {
    await act;
    return undefined;
  } catch (error) {
    if (isStatusError(error)) return error.status;
    throw error;
  }
}
