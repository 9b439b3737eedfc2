// Raw HTTP requests: `fetch` corrects or refuses much of what an attacker sends.
import { Agent, request } from "node:http";

export interface Sent {
  readonly method: string;
  /** The request as it is sent, without encoding or normalising. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  readonly body?: string | Buffer;
}
export interface Received {
  readonly status: number;
  readonly contentType: string;
  readonly text: string;
  readonly json: any;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/** A client that keeps its connections open. */
export class WireClient {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 16 });
  readonly #url: string;
  constructor(url: string) {
    this.#url = url;
  }

  /** Rejects when the connection breaks before the answer is complete. Of an event stream it reads only the head. */
  send({ method, path, headers = {}, body }: Sent): Promise<Received> {
    const { hostname, port } = new URL(this.#url);
    return new Promise((resolve, reject) => {
      const sent = request(
        { agent: this.#agent, hostname, port, method, path, headers: { ...headers, ...lengthOf(headers, body) } },
        response => {
          const { statusCode: status = 0, headers } = response;
          const contentType = headers["content-type"] ?? "";
          let text = "";
          const done = (): void => resolve({ status, contentType, text, json: jsonIn(contentType, text), headers });
          if (contentType.startsWith("text/event-stream")) {
            done();
            return void sent.destroy();
          }
          response.setEncoding("utf8").on("data", chunk => (text += chunk));
          response.once("end", done).once("error", reject);
        },
      );
      sent.setTimeout(20_000, () => sent.destroy(new Error("no answer in 20 s")));
      sent.once("error", reject).end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

const lengthOf = (headers: object, body: string | Buffer | undefined): Record<string, string> =>
  body === undefined || "Transfer-Encoding" in headers ? {} : { "Content-Length": `${Buffer.byteLength(body)}` };

/** Whether a media type is one JSON value (RFC 8259, or with the suffix of RFC 6839); NDJSON is several. */
export const isJson = (contentType: string): boolean => /^application\/([\w.-]+\+)?json\b/.test(contentType);

const jsonIn = (contentType: string, text: string): unknown =>
  isJson(contentType) && text !== "" ? JSON.parse(text) : undefined;
