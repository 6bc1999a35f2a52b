import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import type { Kubectl } from "../support/kubectl.js";
import type { Scenario } from "./scenario.js";

/** Runs `use` with a kubectl that shows nothing but a token. */
async function withToken(kubectl: Kubectl, token: string, use: (as: Kubectl) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "scenario-token-"));
  try {
    const admin = await readFile(kubectl.kubeconfig, "utf8");
    const server = /server: "?([^"\s]+)/.exec(admin)?.[1] ?? "";
    const ca = /certificate-authority-data: "?([^"\s]+)/.exec(admin)?.[1] ?? "";
    await writeFile(join(folder, "ca.crt"), Buffer.from(ca, "base64"));
    const empty = join(folder, "kubeconfig");
    await writeFile(empty, JSON.stringify({ apiVersion: "v1", kind: "Config" }));
    await use(
      kubectl.with(
        `--kubeconfig=${empty}`,
        `--server=${server}`,
        `--certificate-authority=${join(folder, "ca.crt")}`,
        `--token=${token}`,
      ),
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

interface Claims {
  readonly sub: string;
  readonly exp: number;
  readonly iat: number;
  readonly aud: readonly string[];
}

const claims = (token: string): Claims => JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());

export const access: Scenario = {
  name: "access",
  steps: [
    {
      name: "can-i answers for a restricted user",
      async run({ kubectl }) {
        const { namespace } = kubectl;
        await kubectl.ok("create serviceaccount reader");
        await kubectl.ok("create role reads-pods --verb=get,list,watch --resource=pods,pods/log");
        await kubectl.ok(`create rolebinding reads-pods --role=reads-pods --serviceaccount=${namespace}:reader`);
        const reader = kubectl.with(`--as=system:serviceaccount:${namespace}:reader`);
        const canI = async (question: string): Promise<string> =>
          (await reader.run(`auth can-i ${question}`)).stdout.trim();
        expect(await canI("list pods")).toBe("yes");
        expect(await canI("get pods --subresource=log")).toBe("yes");
        expect(await canI("delete pods")).toBe("no");
        expect(await canI("list secrets")).toBe("no");
        expect(await canI("list pods -n default")).toBe("no");
        expect((await reader.run("auth can-i list secrets")).code).toBe(1);
        expect(await reader.ok("auth can-i --list")).toMatch(/^pods +\[\] +\[\] +\[get list watch\]$/m);
        expect(await kubectl.ok("auth can-i * *")).toBe("yes\n");
      },
    },
    {
      name: "a token is made, and opens what its account may",
      async run({ kubectl }) {
        const { namespace } = kubectl;
        const user = `system:serviceaccount:${namespace}:reader`;
        const token = (await kubectl.ok("create token reader --duration=1h")).trim();
        expect(claims(token).sub).toBe(user);
        expect(claims(token).exp - claims(token).iat).toBe(3600);
        await withToken(kubectl, token, async (reader) => {
          expect(await reader.ok("auth whoami")).toContain(user);
          expect((await reader.json("get pods")).items).toEqual([]);
          expect(await reader.fails("get secrets")).toBe(
            `Error from server (Forbidden): secrets is forbidden: User "${user}" cannot list resource "secrets" in API group "" in the namespace "${namespace}"\n`,
          );
          expect(await reader.fails("delete pod nobody")).toContain(`cannot delete resource "pods" in API group ""`);
        });
      },
    },
    {
      name: "a token that is wrong, or for others, or whose account is gone, opens nothing",
      async run({ kubectl }) {
        const refused = async (token: string): Promise<void> => {
          await withToken(kubectl, token, async (as) => {
            expect(await as.fails("get pods")).toContain("You must be logged in to the server");
          });
        };
        const token = (await kubectl.ok("create token reader")).trim();
        await refused(`${token.slice(0, -8)}AAAAAAAA`);
        await refused((await kubectl.ok("create token reader --audience=somebody-else")).trim());
        await kubectl.ok("delete serviceaccount reader");
        await refused(token);
      },
    },
  ],
};
