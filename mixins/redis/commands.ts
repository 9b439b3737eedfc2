// A span for each command of a client, where the process traces and the command is part of a trace. Its keys and values are left
// out: both can be people's data.
import type { Command, Redis } from "ioredis";
import { ATTRIBUTES, tracing } from "../tracing/index.ts";

export function traceCommands(client: Redis): void {
  const active = tracing();
  if (!active) return;
  const send = client.sendCommand.bind(client);
  client.sendCommand = (command: Command, stream) => {
    if (active.current() !== undefined) {
      const name = command.name.toUpperCase();
      const attributes = { [ATTRIBUTES.dbSystem]: "redis", [ATTRIBUTES.dbOperation]: name };
      const span = active.begin({ name, kind: "client", attributes });
      command.promise.then(
        () => span.end(),
        (error: unknown) => span.end(error),
      );
    }
    return send(command, stream);
  };
}
