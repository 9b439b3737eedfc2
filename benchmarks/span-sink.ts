// A collector of traces that takes every batch and looks at none: started by the measurement of what traces cost.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tell } from "./contender.ts";

const server = createServer((req, res) => {
  req.resume();
  req.on("end", () => res.writeHead(200, { "Content-Type": "application/x-protobuf" }).end());
});
server.listen(0, "127.0.0.1", () => tell({ ready: (server.address() as AddressInfo).port }));
process.on("disconnect", () => process.exit());
