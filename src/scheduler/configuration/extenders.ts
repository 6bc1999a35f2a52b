import type { Shape } from "../../api/configuration-shape.js";
import { parseDurationMs } from "../../api/duration.js";
import { type FieldError, invalid } from "../../api/field-error.js";
import type { Extender } from "../extender/extender.js";
import { httpExtender } from "../extender/http-extender.js";

export const extenderShape: Shape = {
  fields: {
    urlPrefix: "string",
    filterVerb: "string",
    preemptVerb: "string",
    prioritizeVerb: "string",
    weight: "integer",
    bindVerb: "string",
    enableHTTPS: "boolean",
    tlsConfig: {
      fields: {
        insecure: "boolean",
        serverName: "string",
        certFile: "string",
        keyFile: "string",
        caFile: "string",
        certData: "string",
        keyData: "string",
        caData: "string",
      },
    },
    httpTimeout: "duration",
    nodeCacheCapable: "boolean",
    managedResources: { list: { fields: { name: "string", ignoredByScheduler: "boolean" } } },
    ignorable: "boolean",
  },
};

/** Of that shape. */
export interface ExtenderConfiguration {
  readonly urlPrefix?: string;
  readonly filterVerb?: string;
  readonly preemptVerb?: string;
  readonly prioritizeVerb?: string;
  readonly weight?: number;
  readonly bindVerb?: string;
  readonly enableHTTPS?: boolean;
  readonly tlsConfig?: {
    readonly insecure?: boolean;
    readonly serverName?: string;
    readonly certFile?: string;
    readonly keyFile?: string;
    readonly caFile?: string;
    /** Base64 of PEM. */
    readonly certData?: string;
    readonly keyData?: string;
    readonly caData?: string;
  };
  readonly httpTimeout?: string;
  readonly nodeCacheCapable?: boolean;
  readonly managedResources?: readonly { readonly name?: string; readonly ignoredByScheduler?: boolean }[];
  readonly ignorable?: boolean;
}

export function extenderErrors(extenders: readonly ExtenderConfiguration[]): FieldError[] {
  const errors: FieldError[] = [];
  const managed = new Set<string>();
  extenders.forEach(({ prioritizeVerb, weight = 0, managedResources = [] }, index) => {
    const path = `extenders[${index}]`;
    if (prioritizeVerb && weight <= 0) {
      errors.push(invalid(`${path}.weight`, weight, "must have a positive weight applied to it"));
    }
    managedResources.forEach(({ name = "" }, position) => {
      const at = `${path}.managedResources[${position}].name`;
      if (!name.includes("/") || name.includes("kubernetes.io/")) {
        errors.push(invalid(at, name, "is an invalid extended resource name"));
      }
      if (managed.has(name)) errors.push(invalid(at, name, "duplicate extender managed resource name"));
      managed.add(name);
    });
  });
  const binders = extenders.filter(({ bindVerb }) => bindVerb).length;
  if (binders > 1) {
    errors.push(
      invalid("extenders", `found ${binders} extenders implementing bind`, "only one extender can implement bind"),
    );
  }
  return errors;
}

/** Resources that NodeResourcesFit is to leave to extenders. */
export function ignoredResources(extenders: readonly ExtenderConfiguration[]): readonly string[] {
  return extenders.flatMap(({ managedResources = [] }) =>
    managedResources.flatMap(({ name, ignoredByScheduler }) => (ignoredByScheduler && name ? [name] : [])),
  );
}

/** `readFile` gives the text of certificates and keys that are named by path. */
export function extenderOf(given: ExtenderConfiguration, readFile: (path: string) => string): Extender {
  const { urlPrefix = "", enableHTTPS = false, tlsConfig, httpTimeout, managedResources = [], ...verbs } = given;
  const pem = (data: string | undefined, file: string | undefined): string | undefined =>
    data ? Buffer.from(data, "base64").toString() : file ? readFile(file) : undefined;
  const secure = enableHTTPS || tlsConfig !== undefined;
  const url = urlPrefix.includes("://") ? urlPrefix : `${secure ? "https" : "http"}://${urlPrefix}`;
  return httpExtender({
    ...verbs,
    urlPrefix: url,
    timeoutMs: httpTimeout === undefined ? undefined : parseDurationMs(httpTimeout) || undefined,
    managedResources: managedResources.flatMap(({ name }) => name ?? []),
    ...(tlsConfig === undefined
      ? {}
      : {
          tls: {
            ca: pem(tlsConfig.caData, tlsConfig.caFile),
            cert: pem(tlsConfig.certData, tlsConfig.certFile),
            key: pem(tlsConfig.keyData, tlsConfig.keyFile),
            serverName: tlsConfig.serverName,
            insecure: tlsConfig.insecure,
          },
        }),
  });
}
