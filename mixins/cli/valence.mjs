#!/usr/bin/env node
// The command `valence`. JavaScript, not TypeScript: on a Node that cannot strip types this file still reports what is
// wrong.
import module from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Before 24.18.1 Node drops header fields past a server's limit without an error, an Idempotency-Key among them. */
const NODE_MIN = "24.18.1";

if (process.versions.node.localeCompare(NODE_MIN, "en", { numeric: true }) < 0) {
  console.error(
    `Node ${process.versions.node} is too old, ${NODE_MIN} is needed: \`npm ci\` brings it, \`npm start\` uses it. ` +
      "(Under NODE_ENV=production: npm ci --include=dev. If npm was told to skip install scripts: npm rebuild node)",
  );
  process.exit(1);
}

// Linux has no default action for the signals of process 1, as in a container: until a broker takes them they would be lost, and
// the process killed at the end of its grace period. It ends as any other process does by them.
if (process.pid === 1)
  for (const [signal, number] of [
    ["SIGTERM", 15],
    ["SIGINT", 2],
  ])
    process.once(signal, () => {
      // The broker's own handler is there: it stops in order.
      if (process.listenerCount(signal) === 0) process.exit(128 + number);
    });

// The next start reads the code that this one has compiled: that saves a third of its CPU. enableCompileCache alone is for the
// main thread; other threads and processes find the cache by the variable.
process.env["NODE_COMPILE_CACHE"] ??= join(tmpdir(), "node-compile-cache");
module.enableCompileCache();

const { main } = await import("./main.ts");
await main(process.argv.slice(2));
