import { loadavg } from "node:os";
import { type ControlPlane, startControlPlane } from "coxswain";
import { defineResource } from "coxswain/api";
import { type OwnResource, ownResource } from "coxswain/apiserver";

const readings = defineResource({
  group: "sensors.example.com",
  version: "v1",
  kind: "Reading",
  scope: "Cluster",
  shortNames: ["rd"],
  schema: {
    type: "object",
    properties: { minutes: { type: "integer" }, load: { type: "number", description: "Processes that want to run." } },
  },
  columns: [{ name: "Load", type: "number", jsonPath: ".load" }],
});

const minutes = [1, 5, 15];
export const sensors: OwnResource = ownResource(readings, {
  list: () =>
    loadavg().map((load, at) => ({ metadata: { name: `load-${minutes[at]}` }, minutes: minutes[at] ?? 0, load })),
});
export const start = (): Promise<ControlPlane> => startControlPlane({ controllers: [], ownResources: [sensors] });
