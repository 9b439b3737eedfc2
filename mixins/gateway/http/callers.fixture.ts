// Callers that send one request after another until the port is closed. As a process: node callers.fixture.ts <port>
// <callers>; it sends each outcome as a message.
import { Agent, request } from "node:http";

/** Sends one request; answers the code of the error if there was no complete response. */
export const ask = (url: string, agent: Agent): Promise<string> =>
  new Promise(resolve => {
    const call = request(url, { agent }, response => {
      response.on("error", (error: Error & { code?: string }) => resolve(error.code ?? error.message));
      response.resume().on("end", () => resolve(response.complete ? String(response.statusCode) : "incomplete"));
    });
    call.on("error", (error: Error & { code?: string }) => resolve(error.code ?? error.message)).end();
  });

if (import.meta.filename === process.argv[1]) {
  const [, , port, callers] = process.argv;
  const agent = new Agent({ keepAlive: true, maxSockets: Number(callers) });
  const caller = async () => {
    for (let outcome = "200"; outcome === "200";)
      process.send!((outcome = await ask(`http://127.0.0.1:${port}/`, agent)));
  };
  await Promise.all(Array.from({ length: Number(callers) }, caller));
  process.disconnect();
}
