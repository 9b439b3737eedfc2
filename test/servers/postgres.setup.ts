// One Postgres server for all tests of a run, or the one at TEST_POSTGRES_URL.
import { Postgres } from "./postgres.ts";

export default async function setup(): Promise<void> {
  if (process.env["TEST_POSTGRES_URL"]) return;
  const server = await Postgres.start();
  process.env["TEST_POSTGRES_URL"] = server.url();
  (globalThis as { postgres?: Postgres }).postgres = server;
}
