import { EventEmitter, on } from "node:events";
import { defineResource, statusErrors, type WatchEvent } from "coxswain/api";
import { type OwnResource, ownResource } from "coxswain/apiserver";

const text = { type: "string", maxLength: 80 } as const;

/** Notes are as good as any custom resource: validated, defaulted, patched, applied and watched. */
const notes = defineResource({
  group: "notes.example.com",
  version: "v1",
  kind: "Note",
  schema: { type: "object", properties: { text, done: { type: "boolean", default: false } }, required: ["text"] },
  columns: [{ name: "Text", type: "string", jsonPath: ".text" }],
});
type Note = NonNullable<(typeof notes)["objectType"]>;

/** Keeps them in a Map: write here to whatever has them. */
export function noteApi(): OwnResource {
  const kept = new Map<string, Note>();
  const events = new EventEmitter();
  const keyOf = ({ namespace = "", name = "" }: { namespace?: string | undefined; name?: string }) =>
    `${namespace}/${name}`;
  let version = 0;
  const keep = (type: WatchEvent["type"], note: Note): Note => {
    const object = { ...note, metadata: { ...note.metadata, resourceVersion: String(++version) } };
    if (type === "DELETED") kept.delete(keyOf(note.metadata));
    else kept.set(keyOf(note.metadata), object);
    events.emit("change", { type, object } satisfies WatchEvent<Note>);
    return object;
  };
  return ownResource(notes, {
    get: (key) => kept.get(keyOf(key)),
    list: ({ namespace }) => [...kept.values()].filter((note) => !namespace || note.metadata.namespace === namespace),
    create(note) {
      if (kept.has(keyOf(note.metadata))) throw statusErrors.alreadyExists(notes, note.metadata.name ?? "");
      return keep("ADDED", note);
    },
    update: (note) => keep("MODIFIED", note),
    delete: (note) => void keep("DELETED", note),
    async *watch({ namespace }, { signal }) {
      for await (const [event] of on(events, "change", { signal })) {
        if (!namespace || event.object.metadata.namespace === namespace) yield event;
      }
    },
  });
}
