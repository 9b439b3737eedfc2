// Publishes to JetStream in bulk: all messages of a page go out at once, and their acknowledgements come back to one inbox.
import { createInbox, headers, type Msg, type NatsConnection } from "nats";

export interface Message {
  readonly subject: string;
  /** JetStream drops a message whose id it has seen lately. */
  readonly id: string;
  readonly text: string;
}

/**
 * Publishes messages in order to one stream of JetStream and resolves when it has stored all of them. Rejects at the first
 * that it does not store, or after `timeoutMs` milliseconds; some may have been stored then.
 *
 * The client's own `publish` makes a request of each, which costs six times the CPU (110 against 18 µs a message).
 */
export async function publishAll(
  nats: NatsConnection,
  stream: string,
  messages: readonly Message[],
  timeoutMs: number,
): Promise<void> {
  const inbox = createInbox((nats as { options?: { inboxPrefix?: string } }).options?.inboxPrefix);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let waiting = messages.length;
  const acks = nats.subscribe(inbox, {
    callback: (error, ack) => {
      const failure = error ?? failureOf(ack, stream);
      if (failure) reject(failure);
      else if (--waiting === 0) resolve();
    },
  });
  const timer = setTimeout(
    () => reject(new Error(`${stream}: JetStream has not stored ${waiting} messages`)),
    timeoutMs,
  );
  try {
    for (const { subject, id, text } of messages) {
      const own = headers();
      own.set("Nats-Msg-Id", id);
      own.set("Nats-Expected-Stream", stream);
      nats.publish(subject, text, { reply: inbox, headers: own });
    }
    await promise;
  } finally {
    clearTimeout(timer);
    acks.unsubscribe();
  }
}

function failureOf(ack: Msg, stream: string): Error | undefined {
  // No subscriber to the subject: the stream is gone, or JetStream is off.
  if (ack.headers?.hasError) return new Error(`JetStream has no stream ${stream}`);
  const { error } = ack.json<{ error?: { description: string } }>();
  return error && new Error(`${stream}: ${error.description}`);
}
