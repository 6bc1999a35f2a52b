import type { Parameter } from "./types.js";

function query(name: string, type: Parameter["type"], description: string): Parameter {
  return { name, in: "query", type, description };
}

export const pretty: Parameter = query("pretty", "string", "If 'true', the output is indented.");

export const namespaceParameter: Parameter = {
  name: "namespace",
  in: "path",
  type: "string",
  description: "Where the object is.",
};

export function nameParameter(kind: string): Parameter {
  return { name: "name", in: "path", type: "string", description: `name of the ${kind}` };
}

export const proxyPath: Parameter = {
  name: "path",
  in: "path",
  type: "string",
  description: "The path behind the proxy.",
};

const dryRun = query("dryRun", "string", "With 'All' everything is done but the write.");
const fieldManager = query("fieldManager", "string", "Who is recorded as the owner of the fields that change.");
const fieldValidation = query(
  "fieldValidation",
  "string",
  "What becomes of unknown and duplicate fields: Ignore, Warn (the default) or Strict.",
);
const force = query("force", "boolean", "With an apply patch: take over fields that other managers own.");

const selection: readonly Parameter[] = [
  query("continue", "string", "The token of the last part of a list that was cut by a limit."),
  query("fieldSelector", "string", "Only objects with these field values."),
  query("labelSelector", "string", "Only objects with these labels."),
  query("limit", "integer", "At most so many objects; more are got with the continue token."),
  query("resourceVersion", "string", "How new the answer must be."),
  query("resourceVersionMatch", "string", "How resourceVersion is meant: NotOlderThan or Exact."),
  query("sendInitialEvents", "boolean", "Start a watch with the objects that exist, ended by a bookmark."),
  query("timeoutSeconds", "integer", "How long the list or watch may last."),
];

export const listParameters: readonly Parameter[] = [
  query("allowWatchBookmarks", "boolean", "Let a watch send bookmarks."),
  ...selection,
  query("watch", "boolean", "Follow the changes instead of listing."),
];

export const createParameters: readonly Parameter[] = [dryRun, fieldManager, fieldValidation];
export const updateParameters: readonly Parameter[] = createParameters;
export const patchParameters: readonly Parameter[] = [dryRun, fieldManager, fieldValidation, force];

export const deleteParameters: readonly Parameter[] = [
  dryRun,
  query("gracePeriodSeconds", "integer", "How long the object may take to end; 0 is at once."),
  query("ignoreStoreReadErrorWithClusterBreakingPotential", "boolean", "Delete an object that can no longer be read."),
  query("orphanDependents", "boolean", "Deprecated: use propagationPolicy."),
  query("propagationPolicy", "string", "What becomes of dependents: Orphan, Background or Foreground."),
];

export const deleteCollectionParameters: readonly Parameter[] = [...deleteParameters, ...selection];

const stream: readonly Parameter[] = [
  query("container", "string", "The container; may be left out where there is only one."),
  query("stderr", "boolean", "Whether to stream its standard error."),
  query("stdin", "boolean", "Whether to stream to its standard input."),
  query("stdout", "boolean", "Whether to stream its standard output."),
  query("tty", "boolean", "Whether to give it a terminal."),
];

const proxied = [query("path", "string", "The path to ask for behind the proxy.")];

/** What the subresources take that are not about objects, by their name. */
export const connectParameters: ReadonlyMap<string, readonly Parameter[]> = new Map([
  ["attach", stream],
  ["exec", [query("command", "string", "The command and its arguments, each a parameter."), ...stream]],
  ["portforward", [query("ports", "integer", "The ports, for clients that speak WebSocket.")]],
  ["proxy", proxied],
]);

export const logParameters: readonly Parameter[] = [
  query("container", "string", "The container; may be left out where there is only one."),
  query("follow", "boolean", "Go on as the log grows."),
  query("insecureSkipTLSVerifyBackend", "boolean", "Do not check the certificate of the node."),
  query("limitBytes", "integer", "At most so many bytes."),
  query("previous", "boolean", "The log of the container before the last restart."),
  query("sinceSeconds", "integer", "Only what is newer."),
  query("stream", "string", "All, Stdout or Stderr."),
  query("tailLines", "integer", "Only the last lines."),
  query("timestamps", "boolean", "Start each line with its time."),
];
