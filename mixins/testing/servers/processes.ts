// The processes that tests start in any way, jest's workers included: none outlives the process that started it,
// however that ends.
import { spawn, type ChildProcess } from "node:child_process";
import { subscribe } from "node:diagnostics_channel";
import { once } from "node:events";

const running = new Set<ChildProcess>();
let isWatchdog = false;

subscribe("child_process", message => {
  if (isWatchdog) return;
  const { process: child } = message as { process: ChildProcess };
  // The process is made first, and has its id then.
  child.once("spawn", () => watch(child));
});

/** Every process started from here on is killed when the answered function is called, if it still runs. */
export function processesFromHere(): () => Promise<void> {
  const before = new Set(running);
  return () => end([...running].filter(child => !before.has(child)));
}

async function end(children: readonly ChildProcess[]): Promise<void> {
  const ended = children.map(child => {
    const exit = once(child, "exit");
    child.kill(lastSignal(child));
    return exit;
  });
  await Promise.all(ended);
}

function watch(child: ChildProcess): void {
  running.add(child);
  // The shell reads a pipe whose other end closes with this process, in a session of its own, which no Ctrl-C reaches.
  isWatchdog = true;
  const watchdog = spawn("sh", ["-c", `read -r _; kill -${lastSignal(child).slice(3)} ${child.pid}`], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
  });
  isWatchdog = false;
  watchdog.on("error", () => {});
  watchdog.unref();
  (watchdog.stdin as unknown as { unref(): void }).unref();
  child.once("exit", () => {
    running.delete(child);
    watchdog.kill("SIGKILL");
  });
}

/** A killed Postgres leaves shared memory behind; with SIGQUIT it ends as fast, and cleans up. */
const lastSignal = ({ spawnfile }: ChildProcess): "SIGQUIT" | "SIGKILL" =>
  spawnfile.endsWith("/postgres") ? "SIGQUIT" : "SIGKILL";
