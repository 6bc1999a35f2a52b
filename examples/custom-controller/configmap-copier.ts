import { type ConfigMap, configMaps } from "coxswain/api";
import { type Controller, defineController, watching } from "coxswain/controllers";

/** On a source: the namespaces that get a copy, separated by commas. */
export const copyTo = "example.com/copy-to";
/** On a copy: `namespace/name` of its source. */
export const copyOf = "example.com/copy-of";

/** Keeps copies of annotated ConfigMaps in other namespaces: made, brought up to date, put back and removed. */
export const configMapCopier: Controller = defineController({
  name: "configmap-copier",
  watches: [
    watching({
      resource: configMaps,
      options: { indexers: { copies: (map) => present(map.metadata.annotations?.[copyOf]) } },
      // A change to a copy is a matter of its source.
      keys: ({ metadata }) => [metadata.annotations?.[copyOf] ?? `${metadata.namespace}/${metadata.name}`],
    }),
  ],
  async reconcile(key, { client, informer, signal }) {
    const maps = informer(configMaps);
    const source = maps.get(key);
    const wanted = namespacesOf(source);
    for (const { metadata } of [...maps.byIndex("copies", key)]) {
      const { namespace = "", name, uid } = metadata;
      if (!wanted.has(namespace))
        await client.delete(configMaps, { namespace, name }, { preconditions: { uid }, signal });
    }
    for (const namespace of wanted) {
      const metadata = { namespace, name: source?.metadata.name ?? "", annotations: { [copyOf]: key } };
      const copy = { apiVersion: "v1", kind: "ConfigMap", metadata, data: source?.data };
      // An apply that changes nothing writes nothing, so nothing needs to be compared here.
      await client.apply(configMaps, copy, { fieldManager: "configmap-copier", force: true, signal });
    }
  },
});

function namespacesOf(source: ConfigMap | undefined): ReadonlySet<string> {
  if (source === undefined || source.metadata.deletionTimestamp !== undefined) return new Set();
  const names = (source.metadata.annotations?.[copyTo] ?? "").split(",").map((name) => name.trim());
  return new Set(names.filter((name) => name !== "" && name !== source.metadata.namespace));
}

function present(value: string | undefined): readonly string[] {
  return value === undefined ? [] : [value];
}
