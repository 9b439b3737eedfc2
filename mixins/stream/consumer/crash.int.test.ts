import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { newDatabases, type Databases } from "../../testing/servers.ts";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";

let databases: Databases;
beforeEach(async () => void (databases = await newDatabases()));
afterEach(() => databases.remove());

async function run(failpoints: string): Promise<{ signal: string | null; said: string; errors: string }> {
  const fixture = join(import.meta.dirname, "crash.fixture.ts");
  const child = spawn(process.execPath, [fixture, databases.folder], {
    env: { ...process.env, ...databases.env, NODE_OPTIONS: "", FAILPOINTS: failpoints },
  });
  const [said, errors, [, signal]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "exit")]);
  return { signal, said, errors };
}

const events = Array.from({ length: 600 }, (_, i) => `thing.${i % 20}@${Math.floor(i / 20) + 1}`);

// The reactor passes the commits twice: of three kills there, one at least is of the consumer that writes.
const beforeCommit = [5, 7, 9].map(pass => `consumer:before-commit=kill#${pass}`);

test.each([...beforeCommit, "consumer:after-commit=kill#4", "reactor:after-call=kill#130"])(
  "P4 killed at %s: every event is written once, every call made under its one id, at least once",
  async failpoint => {
    expect((await run(failpoint)).signal).toBe("SIGKILL");
    const { signal, said, errors } = await run("");
    expect({ signal, errors }).toEqual({ signal: null, errors: "" });
    expect((JSON.parse(said) as string[]).sort()).toEqual([...events].sort());
    const calls = (await readFile(join(databases.folder, "calls"), "utf8")).trim().split("\n");
    const expected = events.filter(id => !id.endsWith("@1")).map(id => `event:${id}/hitter/1`);
    expect([...new Set(calls)].sort()).toEqual(expected.sort());
    expect(calls.length).toBeGreaterThanOrEqual(expected.length);
  },
);
