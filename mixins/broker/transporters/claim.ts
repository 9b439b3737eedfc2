// One process a node id. Moleculer lets the one that was there find out, and end itself: whoever starts a copy with the same
// NODEID takes the first one down. Here the one that comes looks first, before it says or hears anything under that id.
//
//   asked    whoever holds the id answers to its probe, also a process of an older release. Nobody there: NATS says so.
//   claimed  two that start at once both find nobody: each tells its claim, and the lesser instance id keeps it.
import { createInbox, type Msg, type NatsConnection } from "nats";

const limits = {
  /** Milliseconds for the holder's answer: one whose loop hangs for longer counts as gone. */
  answerMs: 1_000,
  /** Milliseconds in which others that start at the same time are heard. */
  claimMs: 100,
};

interface Subjects {
  /** On which whoever holds the id answers with its instance. */
  readonly probe: string;
  readonly claim: string;
}

/** Resolves with the instance of another process that has the id, if there is one. */
export async function rivalOf(client: NatsConnection, subjects: Subjects, own: string): Promise<string | undefined> {
  const holder = await client.request(subjects.probe, undefined, { timeout: limits.answerMs }).then(
    answer => answer.string(),
    () => undefined,
  );
  if (holder !== undefined && holder !== own) return holder;
  let isHeld = false;
  const others: string[] = [];
  // For as long as the connection lives: one that asks between our claim and our subscription must hear of us.
  client.subscribe(subjects.claim, {
    callback: (_error, message) => {
      if (!isHeld) others.push(message.string());
      void message.respond(isHeld ? "" : own);
    },
  });
  const inbox = createInbox();
  const holders: string[] = [];
  const answers = client.subscribe(inbox, {
    callback: (_error, message: Msg) => {
      if (message.headers?.code) return;
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
