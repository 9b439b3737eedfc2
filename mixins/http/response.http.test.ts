import { once } from "node:events";
import { createServer, get, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { dropField, hasField, Response, setField, setFields } from "./response.ts";

let answer: (res: ServerResponse) => void;
const server = createServer({ ServerResponse: Response as never }, (_req, res) => answer(res));
beforeAll(() => once(server.listen(0, "127.0.0.1"), "listening"));
afterAll(() => void server.close());

/** The fields that arrive, as they are written, without those that Node adds. */
async function fieldsOf(by: typeof answer): Promise<string[]> {
  answer = by;
  const { port } = server.address() as AddressInfo;
  const [res] = (await once(get({ port, agent: false }), "response")) as [IncomingMessage];
  res.resume();
  const { rawHeaders: raw } = res;
  const fields = raw.flatMap((name, at) => (at % 2 === 0 ? [`${name}: ${raw[at + 1]}`] : []));
  return fields.filter(field => !/^(?:Date|Connection|Content-Length|Transfer-Encoding|Keep-Alive):/.test(field));
}

test.each<[string, (res: ServerResponse) => void, string[]]>([
  ["with the header's own", res => void res.writeHead(201, { B: "2" }).end(), ["A: 1", "B: 2"]],
  ["but one that the header has itself", res => void res.writeHead(200, { A: "2" }).end(), ["A: 2"]],
  ["where the answer writes no header", res => void res.end("text"), ["A: 1"]],
  ["with a reason", res => void res.writeHead(200, "Fine", { B: "2" }).end(), ["A: 1", "B: 2"]],
  ["but one that was set again", res => void (setField(res, "A", "2"), res.end()), ["A: 2"]],
  ["but one that was dropped", res => void (dropField(res, "A"), res.end()), []],
  ["beside those of Node's own methods", res => void (res.setHeader("B", "2"), res.end()), ["B: 2", "A: 1"]],
  ["but one that Node's own method set", res => void (res.setHeader("a", "2"), res.writeHead(200).end()), ["a: 2"]],
  ["beside a list", res => void res.writeHead(200, ["B", "2"]).end(), ["A: 1", "B: 2"]],
])("fields that were set arrive, %s", async (...[, by, fields]) => {
  expect(
    await fieldsOf(res => {
      setFields(res, ["A", "1"]);
      by(res);
    }),
  ).toEqual(fields);
});

test("a field is there or not, however it was set", async () => {
  const told: unknown[] = [];
  await fieldsOf(res => {
    setField(res, "A", "1");
    told.push(hasField(res, "A"), hasField(res, "B"));
    res.setHeader("B", "2");
    told.push(hasField(res, "B"));
    dropField(res, "B");
    told.push(hasField(res, "B"));
    res.end();
  });
  expect(told).toEqual([true, false, true, false]);
});

test("a character that ends a line is refused, and the answer that says so has the fields", async () => {
  const fields = await fieldsOf(res => {
    setField(res, "A", "1");
    try {
      res.writeHead(200, { B: "2\r\nSet-Cookie: x=1" });
    } catch (error) {
      res.writeHead(500, { C: (error as { code: string }).code }).end();
    }
  });
  expect(fields).toEqual(["A: 1", "C: ERR_INVALID_CHAR"]);
});
