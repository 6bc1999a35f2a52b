import { readFile, rm } from "node:fs/promises";
import { expect } from "vitest";
import { eventually } from "../support/cli-program.js";
import type { Scenario } from "./scenario.js";

const folder = "/tmp/coxswain-scenario-volume";
const ownFolder = "/tmp/coxswain-scenario-own";

export const volumes: Scenario = {
  name: "volumes",
  steps: [
    {
      name: "a claim that waits for its consumer is bound to a volume of the consumer's node",
      async run({ kubectl, manifest }) {
        await kubectl.ok("apply -f -", { stdin: await manifest("volumes.yaml") });
        await kubectl.ok("wait --for=jsonpath={.status.phase}=Available pv/scenario-disk --timeout=30s");
        expect(await kubectl.ok("get pvc data --no-headers")).toMatch(/^data +Pending .* scenario-local /);
        await kubectl.ok("apply -f -", { stdin: await manifest("volumes-pods.yaml") });
        await kubectl.ok("wait --for=condition=Ready pod/writer --timeout=50s");
        expect(await kubectl.ok("get pvc data --no-headers")).toMatch(
          /^data +Bound +scenario-disk +1Gi +RWO +scenario-local /,
        );
        const pod = await kubectl.json("get pod writer");
        const volume = await kubectl.json("get pv scenario-disk");
        const [{ matchFields }] = volume.spec.nodeAffinity.required.nodeSelectorTerms;
        expect(matchFields[0].values).toEqual([pod.spec.nodeName]);
        expect(volume.spec.claimRef).toMatchObject({ kind: "PersistentVolumeClaim", name: "data" });
      },
    },
    {
      name: "what is written is on the host, and the claim stays while it is used",
      async run({ kubectl }) {
        await eventually(async () => ((await kubectl.ok("logs writer")) === "kept\n" ? true : undefined), "it wrote");
        expect(await readFile(`${folder}/word`, "utf8")).toBe("kept\n");
        await kubectl.ok("delete pvc data --wait=false");
        expect(await kubectl.ok("get pvc data --no-headers")).toMatch(/^data +Terminating +scenario-disk /);
        await kubectl.ok("delete pod writer --timeout=40s");
        await kubectl.ok("wait --for=delete pvc/data --timeout=30s");
        await kubectl.ok("wait --for=jsonpath={.status.phase}=Released pv/scenario-disk --timeout=30s");
      },
    },
    {
      name: "a volume that nobody uses goes at once, with what it has left on the host to whom it belongs",
      async run({ kubectl }) {
        await kubectl.ok("delete pv/scenario-disk storageclass/scenario-local --timeout=30s");
        expect(await readFile(`${folder}/word`, "utf8")).toBe("kept\n");
        await rm(folder, { recursive: true });
      },
    },
    {
      name: "a pod's own claim is made of its template, holds what the pod writes, and goes with it",
      async run({ kubectl, manifest }) {
        await kubectl.ok("apply -f -", { stdin: await manifest("volumes-own.yaml") });
        await kubectl.ok("wait --for=condition=Ready pod/owner --timeout=50s");
        expect(await kubectl.ok("get pvc owner-scratch --no-headers")).toMatch(/^owner-scratch +Bound +scenario-own /);
        await eventually(
          async () => ((await readFile(`${ownFolder}/word`, "utf8").catch(() => "")) === "own\n" ? true : undefined),
          "it wrote to the volume",
        );
        await kubectl.ok("delete pod owner --timeout=40s");
        await kubectl.ok("wait --for=delete pvc/owner-scratch --timeout=30s");
        await kubectl.ok("delete pv/scenario-own --timeout=30s");
        await rm(ownFolder, { recursive: true });
      },
    },
  ],
};
