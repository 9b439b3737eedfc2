// After the whole run: ends jest's own process. Jest waits for everything that a test file has left open there (a
// socket, a broker whose stop was never reached), and would wait for ever.
const PATIENCE_MS = 3_000;

export default function end({ watch, watchAll }: { watch: boolean; watchAll: boolean }): void {
  if (watch || watchAll) return;
  // Exits with the code of the run. The timer does not delay a process that ends by itself.
  setTimeout(() => {
    console.error(
      "A test file has left something open. Jest ends nevertheless; --detectOpenHandles may say what it is.",
    );
    process.exit();
  }, PATIENCE_MS).unref();
}
