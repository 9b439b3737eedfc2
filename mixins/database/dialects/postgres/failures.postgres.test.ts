// Connections that cannot be made, or are lost: the client has a kind of error for each.
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import pg from "pg";
import { freePort, newDatabase, postgresUrl, Proxy } from "../../../testing/servers.ts";
import { isOfConnection } from "./failures.ts";

let database: Awaited<ReturnType<typeof newDatabase>>;
let network: Proxy;
let url: URL;
beforeAll(async () => {
  database = await newDatabase(postgresUrl());
  url = new URL(database.url);
  network = await Proxy.to(`tcp://${url.host}`);
  url.host = network.address;
});
afterAll(async () => {
  await network.close();
  await database.drop();
});

const clientOf = (to: string): pg.Client => {
  const client = new pg.Client({ connectionString: to, connectionTimeoutMillis: 200 });
  client.on("error", () => {});
  return client;
};
const errorOf = (work: Promise<unknown>): Promise<Error> =>
  work.then(
    () => new Error("it went well"),
    (error: Error) => error,
  );

test("a server that is not there, that says nothing, or ends the connection is away; a wrong statement is none of these", async () => {
  const nowhere = new URL(url);
  nowhere.host = `127.0.0.1:${await freePort()}`;
  expect(isOfConnection(await errorOf(clientOf(nowhere.href).connect()))).toBe(true);

  const client = clientOf(url.href);
  await client.connect();
  expect(isOfConnection(await errorOf(client.query("select nothing from nowhere")))).toBe(false);
  expect(isOfConnection(await errorOf(client.query("select pg_terminate_backend(pg_backend_pid())")))).toBe(true);
  expect(isOfConnection(await errorOf(client.query("select 1")))).toBe(true);
  expect(isOfConnection(new TypeError("x is not a function"))).toBe(false);

  network.freeze();
  expect(isOfConnection(await errorOf(clientOf(url.href).connect()))).toBe(true);
});
