import type { Environment } from "@marcbachmann/cel-js";
import { dynamicValue } from "../custom/cel/dynamic.js";
import { isJsonObject } from "../json-value.js";

/** The types of one record's fields: a type of the language, a record, or a list of records. */
export interface RecordType {
  readonly name: string;
  readonly fields: { readonly [field: string]: string | RecordType | readonly [RecordType] };
}

const groupVersionKind: RecordType = {
  name: "kubernetes.GroupVersionKind",
  fields: { group: "string", version: "string", kind: "string" },
};

const groupVersionResource: RecordType = {
  name: "kubernetes.GroupVersionResource",
  fields: { group: "string", version: "string", resource: "string" },
};

/** The AdmissionRequest of a review, without the objects and its uid. */
const admissionRequest: RecordType = {
  name: "kubernetes.AdmissionRequest",
  fields: {
    kind: groupVersionKind,
    resource: groupVersionResource,
    subResource: "string",
    requestKind: groupVersionKind,
    requestResource: groupVersionResource,
    requestSubResource: "string",
    name: "string",
    namespace: "string",
    operation: "string",
    userInfo: {
      name: "kubernetes.UserInfo",
      fields: { username: "string", uid: "string", groups: "list<string>", extra: "map<string, list<string>>" },
    },
    dryRun: "bool",
    options: "dyn",
  },
};

const timestamp = "google.protobuf.Timestamp";

/** A Namespace as expressions see it: without what is of no use to them. */
const namespace: RecordType = {
  name: "kubernetes.Namespace",
  fields: {
    metadata: {
      name: "kubernetes.NamespaceMetadata",
      fields: {
        name: "string",
        generateName: "string",
        namespace: "string",
        labels: "map<string, string>",
        annotations: "map<string, string>",
        UID: "string",
        creationTimestamp: timestamp,
        deletionGracePeriodSeconds: "int",
        deletionTimestamp: timestamp,
        generation: "int",
        resourceVersion: "string",
        finalizers: "list<string>",
      },
    },
    spec: { name: "kubernetes.NamespaceSpec", fields: { finalizers: "list<string>" } },
    status: {
      name: "kubernetes.NamespaceStatus",
      fields: {
        conditions: [
          {
            name: "kubernetes.NamespaceCondition",
            fields: {
              status: "string",
              type: "string",
              lastTransitionTime: timestamp,
              message: "string",
              reason: "string",
            },
          },
        ],
        phase: "string",
      },
    },
  },
};

type Convert = (value: unknown) => unknown;

/** Makes values of a record's fields as expressions want them. */
export interface AdmissionRecords {
  /** The request as in a review. */
  readonly request: Convert;
  /** A Namespace; null where there is none. */
  readonly namespace: Convert;
}

/** Declares the variables `request` and `namespaceObject`. */
export function registerRequest(environment: Environment): AdmissionRecords {
  const types = new Map<string, Convert>();
  const request = declareRecord(environment, admissionRequest, types);
  const namespaceObject = declareRecord(environment, namespace, types);
  environment.registerVariable("request", admissionRequest.name);
  environment.registerVariable("namespaceObject", namespace.name);
  return { request, namespace: namespaceObject };
}

/** Declares a record. What is given back makes values of it of plain objects. */
export function declareRecord(
  environment: Environment,
  { name, fields }: RecordType,
  known: Map<string, Convert> = new Map(),
): Convert {
  const before = known.get(name);
  if (before !== undefined) return before;
  const Type = class {};
  const declared: { [field: string]: string } = {};
  const converts = new Map<string, Convert>();
  for (const [field, type] of Object.entries(fields)) {
    if (typeof type === "string") {
      declared[field] = type;
      converts.set(field, (value) => (type === timestamp ? new Date(String(value)) : dynamicValue(value)));
    } else if ("name" in type) {
      converts.set(field, declareRecord(environment, type, known));
      declared[field] = type.name;
    } else {
      const item = declareRecord(environment, type[0], known);
      converts.set(field, (value) => (Array.isArray(value) ? value.map(item) : value));
      declared[field] = `list<${type[0].name}>`;
    }
  }
  environment.registerType(name, { ctor: Type, fields: declared });
  environment.registerOperator(`${name} == null`, (value: unknown) => value === null);
  const convert: Convert = (value) => {
    if (!isJsonObject(value)) return null;
    const record: object = new Type();
    for (const [field, make] of converts) {
      const given = Object.hasOwn(value, field) ? value[field] : undefined;
      if (given === undefined || given === null) continue;
      Object.defineProperty(record, field, { value: make(given), enumerable: true });
    }
    return record;
  };
  known.set(name, convert);
  return convert;
}
