import type { Postgres } from "../servers/postgres.ts";

export default async function teardown(): Promise<void> {
  await (globalThis as { postgres?: Postgres }).postgres?.stop();
}
