// One Postgres server for all tests of a run, or the one at TEST_POSTGRES_URL. It does not wait for the disk: these
// tests crash processes, never the machine, and the system keeps what a process has written.
import { Postgres } from "../servers/postgres.ts";
import { processesFromHere } from "../servers/processes.ts";

export default async function setup(): Promise<void> {
  if (process.env["TEST_POSTGRES_URL"]) return;
  const endProcesses = processesFromHere();
  const server = await Postgres.start({ isDisposable: true }).catch(async (error: unknown) => {
    await endProcesses();
    throw error;
  });
  process.env["TEST_POSTGRES_URL"] = server.url();
  (globalThis as { postgres?: Postgres }).postgres = server;
}
