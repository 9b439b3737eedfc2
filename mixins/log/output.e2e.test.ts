// Stdout that is slow, gone, or cut off: the loop goes on, and what was logged before an end is there.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, test } from "@jest/globals";

const LOG = new URL("index.ts", import.meta.url).href;
const KERNEL = new URL("../kernel/index.ts", import.meta.url).href;

/** A process that logs by the script; `out` is what it has written, once `read` is called. */
function logging(script: string) {
  const head = `
    import { processLog } from ${JSON.stringify(LOG)};
    import { readEnvironment } from ${JSON.stringify(KERNEL)};
    const log = processLog(readEnvironment({ LOG_FORMAT: "json" }));
    const say = n => log.lines.info({ n, filling: "x".repeat(500) }, "said");
  `;
  const child = spawn(process.execPath, ["--input-type=module-typescript", "-e", head + script]);
  const texts = { out: "", err: "" };
  child.stdout.pause();
  child.stderr.on("data", chunk => (texts.err += chunk));
  const read = (): void => void child.stdout.on("data", chunk => (texts.out += chunk)).resume();
  const lines = (): any[] =>
    texts.out
      .trim()
      .split("\n")
      .map(text => JSON.parse(text));
  return { child, texts, read, lines, ended: once(child, "close") };
}

test("a full pipe holds nothing up: lines wait, then are dropped and counted, and the last ones are not lost", async () => {
  const { child, texts, read, lines, ended } = logging(`
    import { once } from "node:events";
    const startedAt = performance.now();
    for (let n = 0; n < 20_000; n++) say(n);
    process.stderr.write(JSON.stringify({ ms: performance.now() - startedAt, dropped: log.dropped() }));
    await once(process.stdin, "data");
    // The reader has caught up with what waited.
    say("last");
    process.exit(0);
  `);
  while (!texts.err.endsWith("}")) await once(child.stderr, "data");
  const { dropped } = JSON.parse(texts.err);
  expect(dropped).toBeGreaterThan(0);
  read();
  while (texts.out.length < 4_000_000) await once(child.stdout, "data");
  child.stdin.write("go\n");
  await ended;
  const all = lines();
  expect(all.at(-1)).toMatchObject({ n: "last", dropped });
  expect(all.length + dropped).toBe(20_001);
  expect(all.map(({ n }) => n).slice(0, -1)).toEqual(Array.from({ length: all.length - 1 }, (_, n) => n));
});

test("a reader that never reads again keeps no process from its end", async () => {
  const { child, ended } = logging(`for (let n = 0; n < 20_000; n++) say(n); process.exit(0);`);
  expect(await once(child, "exit")).toEqual([0, null]);
  child.stdout.resume();
  await ended;
});

test("what was logged is there after a crash, also after a kill without warning", async () => {
  const crash = logging(`say(1); setTimeout(() => { say(2); throw new Error("crash"); });`);
  const kill = logging(`say(1); say(2); process.kill(process.pid, "SIGKILL");`);
  // At once: Node throws away what nobody has read of a process that has ended.
  for (const { read } of [crash, kill]) read();
  for (const { lines, ended } of [crash, kill]) {
    await ended;
    expect(lines().map(({ n }) => n)).toEqual([1, 2]);
  }
});

test("a reader that is gone ends no process", async () => {
  const { child, ended } = logging(`
    process.stdin.once("data", () => {
      for (let n = 0; n < 100; n++) say(n);
      process.exit(7);
    });
  `);
  child.stdout.destroy();
  child.stdin.write("go\n");
  expect(await once(child, "exit")).toEqual([7, null]);
  await ended;
});
