// Answers of one turn of the event loop leave together, at its end. A write wakes the client's process, which costs
// 40 µs when its core sleeps; clients that were woken by the first write of a burst are awake for the others. A read
// from the memory cache was answered 4,900 times a second one by one, and is 7,200 times together. Redis between request
// and answer had that effect by accident: with it the same route was the faster one.
let waiting: (() => void)[] = [];

/** Calls `write`, which must not throw, at the end of this turn of the event loop, after those that came before it. */
export function together(write: () => void): void {
  if (waiting.push(write) === 1) setImmediate(flush);
}

function flush(): void {
  const writes = waiting;
  waiting = [];
  for (const write of writes) write();
}
