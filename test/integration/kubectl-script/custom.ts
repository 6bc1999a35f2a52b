import { json } from "./manifests.js";
import type { Topic } from "./script.js";

const definition = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: { name: widgets.example.com }
spec:
  group: example.com
  scope: Namespaced
  names: { plural: widgets, singular: widget, kind: Widget, shortNames: [wd], categories: [all] }
  versions:
  - name: v1
    served: true
    storage: true
    subresources: { status: {}, scale: { specReplicasPath: .spec.replicas, statusReplicasPath: .status.replicas } }
    additionalPrinterColumns: [{ name: Size, type: string, jsonPath: .spec.size }]
    schema:
      openAPIV3Schema:
        type: object
        description: What is made here.
        properties:
          spec:
            type: object
            properties:
              size: { type: string, enum: [small, large] }
              replicas: { type: integer, default: 1, minimum: 0 }
          status:
            type: object
            properties:
              replicas: { type: integer }
              conditions: { type: array, items: { type: object, x-kubernetes-preserve-unknown-fields: true } }
`;
const widget = (name: string, spec: object): string => json("example.com/v1", "Widget", name, { spec });

export const custom: Topic = {
  name: "custom",
  files: { "crd.yaml": definition, "widget.yaml": widget("one", { size: "small" }) },
  lines: [
    { run: "apply -f crd.yaml", says: "customresourcedefinition.apiextensions.k8s.io/widgets.example.com created" },
    { run: "wait crd/widgets.example.com --for=condition=Established --timeout=20s", says: /condition met/ },
    { run: "create -f widget.yaml --dry-run=server", says: "widget.example.com/one created (server dry run)" },
    { run: "diff -f widget.yaml", exit: 1, says: /^\+ {2}replicas: 1$/m },
    { run: "apply -f widget.yaml", says: "widget.example.com/one created" },
    { run: "apply -f widget.yaml", says: "widget.example.com/one unchanged" },
    { run: "apply -f widget.yaml --server-side", says: "widget.example.com/one serverside-applied" },
    { run: "get wd", says: "NAME   SIZE\none    small" },
    { run: "get all -o name", says: "widget.example.com/one" },
    { run: "explain widget.spec.size", says: /^FIELD: size <string>\n(ENUM:\n {4}small\n {4}large\n)?/m },
    { run: "explain widget", says: /What is made here\./ },
    { run: "describe wd one", says: /^Spec:\n {2}Replicas: +1\n {2}Size: +small$/m },
    { run: `patch wd one --type=merge -p '{"spec":{"size":"large"}}'`, says: "widget.example.com/one patched" },
    {
      run: `patch wd one -p '{"spec":{"size":"large"}}'`,
      fails:
        /application\/strategic-merge-patch\+json is not supported|the body of the request was in an unknown format/,
    },
    {
      run: `patch wd one --type=merge -p '{"spec":{"size":"huge"}}'`,
      fails: 'The Widget "one" is invalid: spec.size: Unsupported value: "huge": supported values: "small", "large"',
    },
    { run: "edit wd one", editor: "sed -i s/large/small/", says: "widget.example.com/one edited" },
    { run: "scale wd one --replicas=3", says: "widget.example.com/one scaled" },
    {
      run: `patch wd one --subresource=status --type=merge -p '{"status":{"conditions":[{"type":"Done","status":"True"}]}}'`,
      says: "widget.example.com/one patched",
    },
    { run: "wait wd/one --for=condition=Done --timeout=20s", says: "widget.example.com/one condition met" },
    { run: "label wd one a=b", says: "widget.example.com/one labeled" },
    {
      run: "create -f -",
      stdin: widget("two", { size: "small", bogus: 1 }),
      fails: /strict decoding error: unknown field "spec\.bogus"/,
    },
    {
      run: "create role wd --verb=get --resource=widgets.example.com",
      says: "role.rbac.authorization.k8s.io/wd created",
    },
    { run: "delete wd --all", says: /^widget\.example\.com "one" deleted/ },
    { run: "delete crd widgets.example.com --timeout=20s", says: /deleted/ },
    {
      run: "get widgets.example.com",
      fails: /the server (doesn't have a resource type|could not find the requested resource)/,
    },
  ],
};
