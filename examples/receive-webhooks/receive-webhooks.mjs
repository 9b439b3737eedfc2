// node examples/receive-webhooks/receive-webhooks.mjs 8080
//
// Receives webhooks and prints their events, a JSON line each, every event once. WEBHOOK_SECRET is the secret that the shop
// gave with the webhook; during a rotation, the old and the new one with a blank between. It needs nothing of the shop and no
// packages.
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

const secrets = process.env.WEBHOOK_SECRET.split(" ");
/** Seconds between the sender's clock and ours: an older request may be one that somebody recorded. */
const TOLERANCE_SECONDS = 300;
/** Ids that were handled. A real receiver keeps them beside its data, in the same transaction. */
const seen = new Set();

function isSigned(headers, body) {
  const { "webhook-id": id, "webhook-timestamp": seconds, "webhook-signature": given = "" } = headers;
  if (!(Math.abs(Date.now() / 1000 - Number(seconds)) <= TOLERANCE_SECONDS)) return false;
  const expected = secrets.map(secret => {
    const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
    return Buffer.from(`v1,${createHmac("sha256", key).update(`${id}.${seconds}.${body}`).digest("base64")}`);
  });
  const signatures = given.split(" ").map(signature => Buffer.from(signature));
  return signatures.some(one => expected.some(other => one.length === other.length && timingSafeEqual(one, other)));
}

async function receive(request, response) {
  let body = "";
  // The signature is over the body as it came: parsed and written anew it is another text.
  for await (const chunk of request.setEncoding("utf8")) body += chunk;
  if (!isSigned(request.headers, body)) return response.writeHead(401).end();
  const id = request.headers["webhook-id"];
  if (!seen.has(id)) console.log(JSON.stringify(JSON.parse(body)));
  seen.add(id);
  return response.writeHead(204).end();
}

createServer((request, response) => {
  receive(request, response).catch(() => response.destroy());
}).listen(Number(process.argv[2]), "127.0.0.1");
