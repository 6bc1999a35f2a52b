import type { Environment } from "@marcbachmann/cel-js";
import type { Meter } from "../custom/cel/budget.js";
import { definer } from "../custom/cel/library.js";
import { celEnvironment } from "../custom/cel/program.js";
import { registerAuthorizer } from "./authorizer-library.js";
import { type AdmissionRecords, registerRequest } from "./request-types.js";

/** What expressions of one place may use beside object, oldObject, request and namespaceObject. */
export interface ExpressionScope {
  readonly params: boolean;
  readonly authorizer: boolean;
}

/** The types of `object`, `oldObject` and `params`; absent: any. They must be declared in the environment that is derived from. */
export interface ObjectTypes {
  readonly object: string;
  readonly params?: string | undefined;
}

const anyObject: ObjectTypes = { object: "dyn" };

/** The language of admission: the environments that its expressions are compiled in, and the meter that they pay to. */
export class AdmissionEnvironments {
  readonly meter: Meter;
  readonly records: AdmissionRecords;
  readonly #base: Environment;
  readonly #withAuthorizer: Environment;
  readonly #types: ObjectTypes;

  /** `declare` may add types to the environment, and say which `object` and `params` have. */
  constructor(meter: Meter, declare: (environment: Environment) => ObjectTypes = () => anyObject) {
    this.meter = meter;
    const base = celEnvironment(meter);
    this.records = registerRequest(base);
    this.#types = declare(base);
    base.registerVariable("object", this.#types.object).registerVariable("oldObject", this.#types.object);
    this.#base = base;
    this.#withAuthorizer = base.clone();
    registerAuthorizer(definer(this.#withAuthorizer), this.#withAuthorizer);
  }

  /** A new environment, which the caller may add to. */
  derive({ params, authorizer }: ExpressionScope): Environment {
    const environment = (authorizer ? this.#withAuthorizer : this.#base).clone();
    if (params) environment.registerVariable("params", this.#types.params ?? "dyn");
    return environment;
  }
}

class JsonPatchNamespace {}

/** `jsonpatch.escapeKey("a/b")`, which only what makes patches may use. */
export function registerEscapeKey(environment: Environment): void {
  environment.registerType("JSONPatchNamespace", JsonPatchNamespace);
  environment.registerConstant("jsonpatch", "JSONPatchNamespace", new JsonPatchNamespace());
  definer(environment)("JSONPatchNamespace.escapeKey(string): string", (_: unknown, key: string) =>
    key.replaceAll("~", "~0").replaceAll("/", "~1"),
  );
}
