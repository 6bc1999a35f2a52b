/** A ResourceClaim, as plugins are told of it. */
export interface ClaimReference {
  readonly namespace: string;
  readonly uid: string;
  readonly name: string;
}

/** A device that a plugin made ready. */
export interface PreparedDevice {
  /** The requests of the claim that it is for; none: all. */
  readonly requestNames: readonly string[];
  readonly poolName: string;
  readonly deviceName: string;
  /** Fully qualified names of the Container Device Interface. */
  readonly cdiDeviceIds: readonly string[];
}

/** What came of one claim. An error that is not empty: nothing. */
export interface ClaimAnswer {
  readonly error: string;
}

export interface PreparedAnswer extends ClaimAnswer {
  readonly devices: readonly PreparedDevice[];
}

/** What a node asks of a DRA plugin. Both may be repeated: what is done already is a success. They reject with the plugin's own words. */
export interface DraPluginCalls {
  /** Answers by the claims' UIDs. */
  prepare(claims: readonly ClaimReference[], signal: AbortSignal): Promise<Readonly<Record<string, PreparedAnswer>>>;
  /** Answers by the claims' UIDs. */
  unprepare(claims: readonly ClaimReference[], signal: AbortSignal): Promise<Readonly<Record<string, ClaimAnswer>>>;
  /** Whether its socket answers, as far as is known now. */
  connected(): boolean;
  close(): void;
}
