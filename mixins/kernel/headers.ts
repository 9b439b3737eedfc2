// Values that travel with a call besides its params, in Moleculer's call headers. Never in `meta`: nested calls inherit
// meta, and a command id that a nested call inherits would make two commands one.

/** Id of the command that this call is. */
export const COMMAND_ID = "command-id";
/** The command was sent before, and its reply was lost: its outcome is found by its id, not decided anew. */
export const REPEATED = "command-repeated";
/** Actors that wait for this call (`loan.42>book.7`): a call that comes back to one of them is a cycle. */
export const CALL_CHAIN = "call-chain";
/** The client waits for less than a second: a node that is not done by then is not to blame. Nested calls inherit it. */
export const IMPATIENT = "impatient";

/**
 * Set in an answer's meta: id of the client's command whose recorded answer this is. By its id, since a caller merges the
 * meta of all the calls that it makes.
 */
export const REPLAYED = "replayed";
