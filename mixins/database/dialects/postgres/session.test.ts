import { expect, test } from "@jest/globals";
import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import pg from "pg";
import { Session } from "./session.ts";

const AUTHENTICATED = Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 0]);
const READY = Buffer.from([0x5a, 0, 0, 0, 5, 0x49]);

test("a connection that is lost while its session is checked is an error of its caller, and does not end the process", async () => {
  // It lets anybody in, and goes away at the first question.
  const server = createServer(socket => {
    socket.on("error", () => {});
    socket.once("data", () => {
      socket.write(Buffer.concat([AUTHENTICATED, READY]));
      socket.once("data", () => socket.destroy());
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const session = { place: "here", schema: "loans", isStandby: false, settings: {} };
  const config = { host: "127.0.0.1", port, user: "loans", database: "loans", session };
  const pool = new pg.Pool({ ...config, Client: Session as unknown as typeof pg.Client });
  await expect(pool.connect()).rejects.toThrow("terminated unexpectedly");
  await expect(new Session(config).connect()).rejects.toThrow("terminated unexpectedly");
  await pool.end();
  server.close();
});
