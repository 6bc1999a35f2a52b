import type { APIService, CustomResourceDefinition } from "../../gen/types.js";
import { mapField, withDefaults, withZeroDefaults } from "../defaulting.js";
import type { Loose } from "../loose.js";

export function defaultCustomResourceDefinition(
  definition: Loose<CustomResourceDefinition>,
): Loose<CustomResourceDefinition> {
  return mapField(definition, "spec", (given) => {
    const spec = withDefaults(given, { conversion: noConversion });
    const withPort = mapField(spec, "conversion", (conversion) =>
      mapField(conversion, "webhook", (webhook) =>
        mapField(webhook, "clientConfig", (config) =>
          mapField(config, "service", (service) => withDefaults(service, { port: 443 })),
        ),
      ),
    );
    return mapField(withPort, "names", (names) =>
      names.kind
        ? withZeroDefaults(names, { singular: names.kind.toLowerCase(), listKind: `${names.kind}List` })
        : names,
    );
  });
}

const noConversion = Object.freeze({ strategy: "None" });

export function defaultApiService(service: Loose<APIService>): Loose<APIService> {
  return mapField(service, "spec", (spec) =>
    mapField(spec, "service", (reference) => withDefaults(reference, { port: 443 })),
  );
}
