import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { connect, type AddressInfo } from "node:net";
import { expect, test } from "@jest/globals";
import { until } from "../testing/index.ts";
import { readBody } from "./body.ts";

test("a body that has come with its header is read at once, and any other when all of it has come", async () => {
  const read: unknown[] = [];
  const answer = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    const body = readBody(req);
    read.push(body instanceof Promise ? "later" : "at once");
    read.push((await body).body);
    res.end();
  };
  // As the gateway, in the next turn of the loop.
  const server = createServer((req, res) => void setImmediate(() => void answer(req, res)));
  await once(server.listen(0), "listening");
  const socket = connect((server.address() as AddressInfo).port).on("data", () => {});
  const head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n\r\n";
  socket.write(`${head}{"a":1}`);
  await until("the first is read", () => read.length === 2);
  socket.write(`${head}{"a":`);
  await until("the second is begun", () => read.length === 3);
  socket.write("2}");
  await until("the second is read", () => read.length === 4);
  // The connection goes on after a body that was read at once.
  socket.write(`${head}{"a":3}`);
  await until("the third is read", () => read.length === 6);
  expect(read).toEqual(["at once", { a: 1 }, "later", { a: 2 }, "at once", { a: 3 }]);
  socket.destroy();
  server.close();
});
