// The relay's way to JetStream: the text of its messages, and their publishing.
import type { Outlet } from "../../publish/relay.ts";
import { sealed, type Carried } from "../message.ts";
import type { Channel } from "./channel.ts";
import type { Connection } from "./connection.ts";
import { publishAll } from "./publish.ts";

const limits = {
  /** Bytes that a message needs beside its event. */
  envelopeBytes: 4_096,
  /** Milliseconds within which JetStream must have stored a page. */
  ackMs: 2_000,
};

export function jetStreamOutlet(connection: Connection, channel: Channel): Outlet {
  const connected = () => {
    if (!connection.jetStream) throw new Error("the connection to JetStream is gone");
    return connection.jetStream;
  };
  return {
    get isConnected() {
      return connection.jetStream !== undefined;
    },
    onChange: listener => connection.onChange(listener),
    ensure: async () => channel.ensure(connected().manager),
    async publish(messages, seal) {
      const { nats } = connected();
      const room = nats.info!.max_payload - limits.envelopeBytes;
      const texts = messages.map(({ event, ...position }) => {
        let text = JSON.stringify({ ...position, event } satisfies Carried);
        if (Buffer.byteLength(text) > room) text = JSON.stringify(position satisfies Carried);
        if (seal !== undefined) text = sealed(text, seal);
        return { subject: channel.subjectOf(event), id: event.eventId, text };
      });
      await publishAll(nats, channel.name, texts, limits.ackMs);
    },
  };
}
