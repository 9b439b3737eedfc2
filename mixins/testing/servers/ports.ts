// Ports of this machine for servers that tests start.
import { once } from "node:events";
import { createServer } from "node:net";

/** A port of the loopback address that nothing listens on. Another process may take it before the caller does. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}
