// A network before the gateway, as its purges see it: an HTTP server that writes down what it is asked, and answers as it is
// told.
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

export interface Asked {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}
export interface NetworkServer {
  readonly url: string;
  readonly asked: Asked[];
  /** The next answers. */
  answer: { status: number; body: string };
  stop(): Promise<void>;
}

export async function startNetwork(): Promise<NetworkServer> {
  const network = { asked: [] as Asked[], answer: { status: 200, body: "" } };
  const server = createServer((req, res) => {
    void text(req).then(body => {
      network.asked.push({ method: req.method!, url: req.url!, headers: req.headers, body });
      res.writeHead(network.answer.status).end(network.answer.body);
    });
  });
  await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return Object.assign(network, {
    url: `http://127.0.0.1:${port}`,
    async stop() {
      server.closeAllConnections();
      await new Promise(resolve => server.close(resolve));
    },
  });
}
