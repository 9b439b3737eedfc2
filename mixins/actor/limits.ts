// Bounds of a service's actors, each with its unit and reason.

export const ACTOR_LIMITS = {
  /** Commands of one actor that wait, are decided or wait for their commit. A dead database fills mailboxes, not memory. */
  mailboxSlots: 1_024,
  /** Actors in memory; past it the least recently used leave. 10 000 of a few hundred bytes are a few megabytes. */
  residentActors: 10_000,
  /** Milliseconds that an idle actor stays in memory. Passivation never loses acknowledged events. */
  idleMs: 60_000,
  /** Streams that are loaded at once: each holds its events in memory until they are folded. */
  concurrentLoads: 64,
  /** Events folded before the loop gets a turn: 10 000 in one go block it for 17 ms. */
  foldChunk: 1_000,
  /** Times that a command is decided again after a conflict; then it is `CONTENTION`. */
  decisionsMax: 5,
  /** Milliseconds that `prepare` may take for a command without a deadline of its own. */
  prepareMs: 10_000,
  /** Commits after a conflict that are done one by one, so that two owners do not roll back each other for ever. */
  cautiousCommits: 16,
  /** Milliseconds for which a read trusts the last commit or head check. */
  freshMs: 1_000,
  /** Newest answered command ids that an actor keeps in memory; older repetitions are answered by the store. */
  recentCommands: 16,
  /** Characters of a command id: `client:<uuid>:<key of 128>` fits. */
  commandIdLength: 256,
  /** Milliseconds between two snapshots of one actor at least: a hot one would write hundreds a second. */
  snapshotIntervalMs: 1_000,
  /** Snapshots that a leaving node saves side by side: their text is in memory meanwhile. */
  snapshotsAtOnce: 64,
  /** Streams that this node cannot read and warns about, and milliseconds between two warnings about one of them. */
  unreadableTold: 1_000,
  unreadableTellMs: 60_000,
  /** Timers fired at once, each of another actor. */
  timersAtOnce: 64,
  /**
   * Timers fired in a second. After an outage all of them are due: 500 are a hundredth of the commands that a store takes,
   * which slows live commands by about as much, and 100,000 overdue timers have fired after 200 s.
   */
  timersPerSecond: 500,
  /** Due timers read to find one whose actor has none under way. */
  timersRead: 4_096,
  /** Milliseconds between two looks for due timers at most. */
  timerPollMs: 500,
};
export type ActorLimits = typeof ACTOR_LIMITS;
