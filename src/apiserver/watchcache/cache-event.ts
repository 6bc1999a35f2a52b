import type { WatchEventType } from "../../api/index.js";
import type { StoredEvent, StoredObject } from "../request.js";
import type { CachedObject } from "./stored-object.js";

/** An event as watchers get it, framed at most once however many they are. */
export class SharedEvent implements StoredEvent {
  readonly type: WatchEventType;
  readonly stored: StoredObject;
  #frame: Buffer | undefined;

  constructor(type: WatchEventType, stored: StoredObject) {
    this.type = type;
    this.stored = stored;
  }

  get frame(): Buffer {
    this.#frame ??= Buffer.concat([Buffer.from(`{"type":"${this.type}","object":`), this.stored.bytes, lineEnd]);
    return this.#frame;
  }
}

const lineEnd = Buffer.from("}\n");

/**
 * One change of one object in the cache. What a watcher makes of it depends on its selector: the same change is ADDED for
 * one, MODIFIED for another, DELETED for a third. Each form is made once and shared.
 */
export class CacheEvent {
  readonly revision: number;
  readonly current: CachedObject | undefined;
  readonly previous: CachedObject | undefined;
  #added: SharedEvent | undefined;
  #modified: SharedEvent | undefined;
  #deleted: SharedEvent | undefined;

  constructor(revision: number, current: CachedObject | undefined, previous: CachedObject | undefined) {
    this.revision = revision;
    this.current = current;
    this.previous = previous;
  }

  get key(): string {
    return (this.current ?? this.previous)?.key ?? "";
  }

  /** The event for a watcher that sees the object before and after, only after, or only before; none if neither. */
  seenAs(before: boolean, after: boolean): SharedEvent | undefined {
    if (after && this.current !== undefined) {
      if (before) {
        this.#modified ??= new SharedEvent("MODIFIED", this.current);
        return this.#modified;
      }
      this.#added ??= new SharedEvent("ADDED", this.current);
      return this.#added;
    }
    if (!before || this.previous === undefined) return undefined;
    this.#deleted ??= new SharedEvent("DELETED", this.previous.at(this.revision));
    return this.#deleted;
  }
}
