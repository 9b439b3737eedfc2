// After the whole run, jest's process included. Jest waits for what a test file has left open in its process (a socket, a
// broker whose stop was never reached), and would for ever.
const PATIENCE_MS = 3_000;

export default function end({ watch, watchAll }: { watch: boolean; watchAll: boolean }): void {
  if (watch || watchAll) return;
  // Ends with the code of the run; and what ends by itself is not kept by it.
  setTimeout(() => {
    console.error(
      "A test file has left something open. Jest ends nevertheless; --detectOpenHandles may say what it is.",
    );
    process.exit();
  }, PATIENCE_MS).unref();
}
