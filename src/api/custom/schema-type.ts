import type { ObjectMeta } from "../gen/types.js";

/** A JSON schema as it is written in a program, `as const` or in a call that infers it: its types are then those of the objects. */
export interface LiteralSchema {
  readonly type?: "object" | "array" | "string" | "integer" | "number" | "boolean";
  readonly properties?: { readonly [name: string]: LiteralSchema };
  readonly required?: readonly string[];
  readonly additionalProperties?: LiteralSchema | boolean;
  readonly items?: LiteralSchema;
  readonly enum?: readonly unknown[];
  readonly nullable?: boolean;
  readonly default?: unknown;
  readonly "x-kubernetes-int-or-string"?: boolean;
  readonly "x-kubernetes-preserve-unknown-fields"?: boolean;
  readonly "x-kubernetes-embedded-resource"?: boolean;
  readonly [keyword: string]: unknown;
}

/** The type of the values that a schema allows. Fields that are not required may be missing, unless they have a default. */
export type FromSchema<S> = S extends { readonly nullable: true } ? FromType<S> | null : FromType<S>;

type FromType<S> = S extends { readonly enum: readonly (infer Choice)[] }
  ? Choice
  : S extends { readonly "x-kubernetes-int-or-string": true }
    ? number | string
    : S extends { readonly type: "string" }
      ? string
      : S extends { readonly type: "integer" | "number" }
        ? number
        : S extends { readonly type: "boolean" }
          ? boolean
          : S extends { readonly type: "array" }
            ? readonly FromItems<S>[]
            : S extends { readonly type: "object" }
              ? FromObject<S>
              : unknown;

type FromItems<S> = S extends { readonly items: infer Items } ? FromSchema<Items> : unknown;

type FromObject<S> = S extends { readonly properties: infer Properties }
  ? {
      readonly [Name in keyof Properties as Name extends Present<S, Properties> ? Name : never]: FromSchema<
        Properties[Name]
      >;
    } & {
      readonly [Name in keyof Properties as Name extends Present<S, Properties> ? never : Name]?:
        | FromSchema<Properties[Name]>
        | undefined;
    }
  : S extends { readonly additionalProperties: infer Values }
    ? { readonly [key: string]: Values extends true ? unknown : FromSchema<Values> }
    : { readonly [key: string]: unknown };

/** The names of fields that an object from the server always has. */
type Present<S, Properties> =
  | (S extends { readonly required: readonly (infer Name)[] } ? Name : never)
  | {
      [Name in keyof Properties]: Properties[Name] extends { readonly default: unknown } ? Name : never;
    }[keyof Properties];

/** The objects of a custom resource: what every object has, and what the schema says. */
export type CustomObject<S, Group extends string, Version extends string, Kind extends string> = {
  readonly apiVersion: `${Group}/${Version}`;
  readonly kind: Kind;
  readonly metadata: ObjectMeta;
} & Omit<FromSchema<S>, "apiVersion" | "kind" | "metadata">;
