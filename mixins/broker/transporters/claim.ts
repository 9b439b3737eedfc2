// One process for each node id. Moleculer lets the older process notice a second one with its NODEID and end itself, so
// that starting a copy takes the first one down. Here the newcomer looks first, before it sends or receives anything
// under that id:
//
//   1. asks     the holder of the id answers its probe, also a process of an older release. NATS says when no process listens
//   2. claims   two processes that start at once both find no holder: each announces its claim, and the lesser instance id
//               keeps the node id
import { createInbox, type Msg, type NatsConnection } from "nats";

const limits = {
  /** Milliseconds for the holder's answer: a process whose loop hangs for longer counts as gone. */
  answerMs: 1_000,
  /** Milliseconds in which claims of processes that start at the same time are heard. */
  claimMs: 100,
};

interface Subjects {
  /** The subject on which the holder of the id answers with its instance id. */
  readonly probe: string;
  readonly claim: string;
}

/** Resolves with the instance id of another process that has the node id; undefined when there is none. */
export async function rivalOf(
  client: NatsConnection,
  subjects: Subjects,
  own: string,
  inboxPrefix?: string,
): Promise<string | undefined> {
  const holder = await client.request(subjects.probe, undefined, { timeout: limits.answerMs }).then(
    answer => answer.string(),
    () => undefined,
  );
  if (holder !== undefined && holder !== own) return holder;
  let isHeld = false;
  const others: string[] = [];
  // Subscribed for as long as the connection lives: a process that asks between our claim and our own probe's
  // subscription must hear of us.
  client.subscribe(subjects.claim, {
    callback: (error, message) => {
      // Denied by the server: the transporter's own subscriptions are denied as well, and end the start.
      if (error) return;
      if (!isHeld) others.push(message.string());
      void message.respond(isHeld ? "" : own);
    },
  });
  const inbox = createInbox(inboxPrefix);
  const holders: string[] = [];
  const answers = client.subscribe(inbox, {
    callback: (error, message: Msg) => {
      if (error ?? message.headers?.code) return;
      if (message.string() === "") holders.push("");
      else others.push(message.string());
    },
  });
  client.publish(subjects.claim, own, { reply: inbox });
  await new Promise(resolve => setTimeout(resolve, limits.claimMs));
  answers.unsubscribe();
  if (holders.length > 0) return "another";
  const first = others.filter(instance => instance !== own).sort()[0];
  isHeld = first === undefined || own < first;
  return isHeld ? undefined : first;
}
