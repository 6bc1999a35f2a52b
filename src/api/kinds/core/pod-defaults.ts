import type {
  Container,
  ContainerPort,
  EnvVar,
  EphemeralContainer,
  HTTPGetAction,
  Lifecycle,
  LifecycleHandler,
  Pod,
  PodSpec,
  PodTemplateSpec,
  Probe,
} from "../../gen/types.js";
import { mapField, mapItems, withDefaults, withField, withMissingEntries, withZeroDefaults } from "../defaulting.js";
import type { Loose } from "../loose.js";
import { defaultPullPolicy } from "./image-reference.js";
import { defaultPodLevelRequests } from "./pod-level-resources.js";
import { defaultVolume } from "./volume-defaults.js";

/** Defaults of a Pod. Those beyond `defaultPodSpec` are for pods alone, so that templates are kept as they were written. */
export function defaultPod(pod: Loose<Pod>): Loose<Pod> {
  return mapField(pod, "spec", (given) => {
    let spec = defaultPodSpec(given);
    spec = mapField(spec, "containers", (list) => mapItems(list, defaultRequests));
    spec = mapField(spec, "initContainers", (list) => mapItems(list, defaultRequests));
    spec = defaultPodLevelRequests(spec);
    spec = withDefaults(spec, { enableServiceLinks: true });
    if (spec.hostNetwork !== true) return spec;
    spec = mapField(spec, "containers", (list) => mapItems(list, defaultHostPorts));
    return mapField(spec, "initContainers", (list) => mapItems(list, defaultHostPorts));
  });
}

export function defaultPodTemplate(template: Loose<PodTemplateSpec>): Loose<PodTemplateSpec> {
  return mapField(template, "spec", defaultPodSpec);
}

function defaultPodSpec(given: Loose<PodSpec>): Loose<PodSpec> {
  let spec = withZeroDefaults(given, {
    dnsPolicy: "ClusterFirst",
    restartPolicy: "Always",
    schedulerName: "default-scheduler",
  });
  spec = withDefaults(spec, { securityContext: emptySecurityContext, terminationGracePeriodSeconds: 30 });
  // Upstream's conversion: less than no time is the least time.
  if ((spec.terminationGracePeriodSeconds ?? 0) < 0) spec = withField(spec, "terminationGracePeriodSeconds", 1);
  spec = syncServiceAccount(spec);
  spec = mapField(spec, "containers", (list) => mapItems(list, defaultContainer));
  spec = mapField(spec, "initContainers", (list) => mapItems(list, defaultContainer));
  spec = mapField(spec, "ephemeralContainers", (list) => mapItems(list, defaultEphemeralContainer));
  return mapField(spec, "volumes", (list) => mapItems(list, defaultVolume));
}

const emptySecurityContext = Object.freeze({});

/** `serviceAccount` is the old name of `serviceAccountName`: upstream's conversion keeps both, and the new one wins. */
function syncServiceAccount(spec: Loose<PodSpec>): Loose<PodSpec> {
  const name = spec.serviceAccountName || spec.serviceAccount;
  if (!name) return spec;
  return withField(withField(spec, "serviceAccountName", name), "serviceAccount", name);
}

function defaultContainer(container: Loose<Container>): Loose<Container> {
  let result = withZeroDefaults(container, {
    terminationMessagePath: "/dev/termination-log",
    terminationMessagePolicy: "File",
    imagePullPolicy: defaultPullPolicy(container.image),
  });
  result = mapField(result, "ports", (ports) => mapItems(ports, defaultPort));
  result = mapField(result, "env", (env) => mapItems(env, defaultEnv));
  result = mapField(result, "livenessProbe", defaultProbe);
  result = mapField(result, "readinessProbe", defaultProbe);
  result = mapField(result, "startupProbe", defaultProbe);
  return mapField(result, "lifecycle", defaultLifecycle);
}

function defaultEphemeralContainer(container: Loose<EphemeralContainer>): Loose<EphemeralContainer> {
  return defaultContainer(container);
}

function defaultPort(port: Loose<ContainerPort>): Loose<ContainerPort> {
  return withZeroDefaults(port, { protocol: "TCP" });
}

function defaultHostPorts<T extends { readonly ports?: readonly Loose<ContainerPort>[] | undefined }>(container: T): T {
  const { ports } = container;
  if (ports === undefined) return container;
  const changed = mapItems(ports, (port) =>
    port.containerPort === undefined ? port : withZeroDefaults(port, { hostPort: port.containerPort }),
  );
  return changed === ports ? container : { ...container, ports: changed };
}

function defaultEnv(variable: Loose<EnvVar>): Loose<EnvVar> {
  return mapField(variable, "valueFrom", (source) => {
    const result = mapField(source, "fieldRef", (field) => withZeroDefaults(field, { apiVersion: "v1" }));
    return mapField(result, "fileKeyRef", (field) => withDefaults(field, { optional: false }));
  });
}

function defaultProbe(probe: Loose<Probe>): Loose<Probe> {
  const result = withZeroDefaults(probe, {
    timeoutSeconds: 1,
    periodSeconds: 10,
    successThreshold: 1,
    failureThreshold: 3,
  });
  const http = mapField(result, "httpGet", defaultHttpGet);
  return mapField(http, "grpc", (grpc) => withDefaults(grpc, { service: "" }));
}

function defaultHttpGet(action: Loose<HTTPGetAction>): Loose<HTTPGetAction> {
  return withZeroDefaults(action, { path: "/", scheme: "HTTP" });
}

function defaultLifecycle(lifecycle: Loose<Lifecycle>): Loose<Lifecycle> {
  return mapField(mapField(lifecycle, "postStart", defaultHandler), "preStop", defaultHandler);
}

function defaultHandler(handler: Loose<LifecycleHandler>): Loose<LifecycleHandler> {
  return mapField(handler, "httpGet", defaultHttpGet);
}

/** A limit without a request is its own request. */
function defaultRequests(container: Loose<Container>): Loose<Container> {
  const limits = container.resources?.limits;
  if (limits === undefined) return container;
  return mapField(container, "resources", (resources) => {
    const requests = withMissingEntries(resources.requests, limits);
    return requests === resources.requests ? resources : { ...resources, requests };
  });
}
