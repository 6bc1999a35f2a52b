import { builtinDescriptions } from "../api/describe/index.js";
import {
  type CustomResourceDefinition,
  type CustomResourceDefinitionVersion,
  customResourceDefinitions,
  type JSONSchemaProps,
  type JsonObject,
  type KubeObject,
  type New,
  type ResourceType,
} from "../api/index.js";
import { builtinStrategies } from "../api/kinds/index.js";
import { type CustomResourcesOptions, crds } from "../apiserver/crd/index.js";
import { ApiServer } from "../apiserver/server.js";
import { type Client, createClient } from "../client/index.js";
import { type Clock, realClock } from "../internal/clock.js";
import { MemoryStore, type Store } from "../store/index.js";

/** An object of a custom resource. */
export type Custom = KubeObject & { readonly [field: string]: unknown };

export interface Served extends AsyncDisposable {
  readonly server: ApiServer;
  readonly client: Client;
}

/** An API server with custom resources, in this process. */
export async function serve(
  { clock = realClock, ...options }: CustomResourcesOptions & { readonly clock?: Clock } = {},
  store: Store = new MemoryStore(),
): Promise<Served> {
  const server = new ApiServer({ store, clock, resources: builtinDescriptions(builtinStrategies) });
  const definitions = crds(server, options);
  const stop = new AbortController();
  let running: Promise<unknown> = Promise.resolve();
  await new Promise<void>((ready) => {
    running = server.component.run({ signal: stop.signal, ready });
  });
  const following = definitions.run({ signal: stop.signal, ready: () => {} });
  return {
    server,
    client: createClient(server.transport()),
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await Promise.all([running, following]);
    },
  };
}

export function crontabs(version = "v1"): ResourceType<Custom> {
  return { group: "stable.example.com", version, resource: "crontabs", kind: "CronTab", namespaced: true };
}

export const crontabSchema: JSONSchemaProps = {
  type: "object",
  properties: {
    spec: {
      type: "object",
      properties: {
        cronSpec: { type: "string", pattern: "^(\\d+|\\*)(/\\d+)?(\\s+(\\d+|\\*)(/\\d+)?){4}$" },
        image: { type: "string" },
        replicas: { type: "integer", minimum: 1, maximum: 10, default: 1 },
      },
    },
    status: { type: "object", properties: { replicas: { type: "integer" }, labelSelector: { type: "string" } } },
  },
};

export interface DefinitionOptions {
  readonly schema?: JSONSchemaProps;
  readonly version?: Partial<CustomResourceDefinitionVersion>;
  readonly spec?: Partial<CustomResourceDefinition["spec"]>;
  readonly kind?: string;
  readonly plural?: string;
}

export function crontabDefinition({
  schema = crontabSchema,
  version = {},
  spec = {},
  kind = "CronTab",
  plural = "crontabs",
}: DefinitionOptions = {}): New<CustomResourceDefinition> {
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.stable.example.com` },
    spec: {
      group: "stable.example.com",
      scope: "Namespaced",
      names: { plural, kind, shortNames: plural === "crontabs" ? ["ct"] : [] },
      versions: [{ name: "v1", served: true, storage: true, schema: { openAPIV3Schema: schema }, ...version }],
      ...spec,
    },
  };
}

export function crontab(name: string, spec: JsonObject = {}, apiVersion = "stable.example.com/v1"): New<Custom> {
  return { apiVersion, kind: "CronTab", metadata: { name, namespace: "default" }, spec };
}

/** Creates a definition and waits until its conditions are as `when` wants them. */
export async function define(
  client: Client,
  definition: New<CustomResourceDefinition>,
  when: (definition: CustomResourceDefinition) => boolean = isEstablished,
): Promise<CustomResourceDefinition> {
  const created = await client.create(customResourceDefinitions, definition);
  return waitFor(client, created.metadata.name ?? "", when);
}

export async function waitFor(
  client: Client,
  name: string,
  when: (definition: CustomResourceDefinition) => boolean,
): Promise<CustomResourceDefinition> {
  const now = await client.get(customResourceDefinitions, { name });
  if (when(now)) return now;
  const options = { fieldSelector: `metadata.name=${name}`, resourceVersion: now.metadata.resourceVersion ?? "" };
  for await (const { object } of client.watch(customResourceDefinitions, options)) if (when(object)) return object;
  throw new Error(`the watch of ${name} ended`);
}

export function isEstablished({ status }: CustomResourceDefinition): boolean {
  return status?.conditions?.some(({ type, status: value }) => type === "Established" && value === "True") === true;
}
