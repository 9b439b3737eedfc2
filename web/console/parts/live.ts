// Topics of which the server says when something about them has changed, for the screens that show them.
import { listen } from "../../kit/index.ts";
import { api } from "../console.ts";

type Hint = ReturnType<typeof api.ops.hints> extends AsyncIterable<infer H> ? H : never;
export type Topic = Hint["topic"];

const listeners = new Map<Topic, Set<() => void>>();

/** Calls `onChange` whenever something about the topic may have changed, until the returned function is called. */
export function onTopic(topic: Topic, onChange: () => void): () => void {
  const all = listeners.get(topic) ?? new Set();
  listeners.set(topic, all.add(onChange));
  return () => void all.delete(onChange);
}

/** Hears the hints of this browser's one stream, and holds it if no other tab does, until the returned function is called. */
export const listenToTopics = (): (() => void) =>
  listen<Hint>(
    "console",
    options => api.ops.hints({}, options),
    ({ topic }) => {
      for (const onChange of listeners.get(topic) ?? []) onChange();
    },
  );
