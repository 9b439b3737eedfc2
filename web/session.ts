// Who is signed in. The cookie says it to the server and no script sees it; the name is remembered, so that the next page shows it at
// once and a visitor who never signed in asks nothing.
import { computed } from "@preact/signals";
import { createApi, ProblemError, type Api } from "./api.ts";
import { kept } from "./kit/kept.ts";
import type { AnswerOf } from "../client/index.ts";

export type User = AnswerOf<Api["session"]["open"]>["user"];

/** A session of this browser, `shop` or `console`, and the API as its user calls it. */
export function createSession(name: string) {
  const user = kept<User | null>(`${name}-user`, null);
  const forget = (): void => void (user.value = null);
  const api = createApi(name, forget);
  const session = {
    /** Null when nobody is. */
    user: computed(() => user.value),
    /** Throws ProblemError. */
    async signIn(email: string, password: string): Promise<void> {
      user.value = (await api.session.open({ email, password, for: name })).user;
    },
    async signOut(): Promise<void> {
      await api.session.close();
      forget();
    },
    /** Asks whether a session that is remembered still stands. */
    async restore(): Promise<void> {
      if (user.peek() === null) return;
      try {
        user.value = (await api.session.get()).user;
      } catch (error) {
        if (error instanceof ProblemError && error.status === 401) forget();
      }
    },
  };
  return { api, session };
}
