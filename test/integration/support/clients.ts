import { access } from "node:fs/promises";
import { fileURLToPath } from "node:url";

const fetched = new URL("../../../node_modules/.cache/clients/", import.meta.url);

export type ClientAge = "old" | "new";

/** The binary of a real client: `$KUBECTL_OLD`, `$HELM_NEW` and so on, or what scripts/provision-clients.sh fetched. */
export async function findClient(program: "kubectl" | "helm", age: ClientAge): Promise<string> {
  const variable = `${program}_${age}`.toUpperCase();
  const named = process.env[variable];
  if (named) return named;
  const binary = fileURLToPath(new URL(`${age}/${program}`, fetched));
  await access(binary).catch((cause: unknown) => {
    throw new Error(`no ${age} ${program}: scripts/provision-clients.sh fetches one, or name it in ${variable}`, {
      cause,
    });
  });
  return binary;
}
