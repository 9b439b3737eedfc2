/** Requests of one class are counted together, for each user, key or address. */
export type RateClass = string;
