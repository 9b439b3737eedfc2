// A trivial GET on Fastify in front of a Moleculer broker, as a team would write it by hand without a gateway.
import fastify from "fastify";
import { ServiceBroker } from "moleculer";
import { tell } from "../contender.ts";

const broker = new ServiceBroker({ logger: false });
broker.createService({
  name: "greetings",
  actions: {
    say: {
      params: { name: "string" },
      handler: ({ params: { name } }: { params: { name: string } }) => ({ text: `Good morning, ${name}` }),
    },
  },
});
const app = fastify({ logger: false });
app.get<{ Params: { name: string } }>("/api/v1/greetings/:name", ({ params: { name } }) =>
  broker.call("greetings.say", { name }),
);
await broker.start();
await app.listen({ host: "127.0.0.1", port: 0 });
tell({ ready: (app.server.address() as { port: number }).port });
