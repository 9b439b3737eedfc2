// States are frozen: a `decide` or a fold that changes the state it was given throws (every module is in strict mode), and
// is a bug of that command, named. Unfrozen, it would change what reads see and what the next snapshot makes lasting.

/** Freezes a value and all that it holds. */
export function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) if (typeof inner === "object") deepFreeze(inner);
  }
  return value;
}

const limits = {
  /**
   * Entries of an object or list up to which each state is frozen in full. A fold copies a larger one faster than each of
   * its entries can be looked at: of a list of 1 000, in 5 µs against 60 µs.
   */
  entries: 64,
  /** Of so many states one is frozen in full, whatever its size. */
  sample: 32,
};

/**
 * Freezes states as they come, at a cost that a command does not feel (0.1 µs for a small one): what a state shares with the
 * one before is frozen already. Of large lists and maps the entries are looked at now and then only.
 */
export function stateFreezer(): <S>(state: S) => S {
  let states = 0;
  return state => {
    states = (states + 1) % limits.sample;
    return states === 0 ? deepFreeze(state) : freezeSmall(state);
  };
}

function freezeSmall<T>(value: T): T {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  if (Array.isArray(value) && value.length > limits.entries) return value;
  const inner = Object.values(value);
  if (inner.length <= limits.entries) for (const item of inner) if (typeof item === "object") freezeSmall(item);
  return value;
}
