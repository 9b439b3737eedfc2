// Who is signed in. The cookie says it to the server and no script sees it; the name is remembered, so that the next page shows it at
// once and a visitor who never signed in asks nothing.
import { computed } from "@preact/signals";
import { ProblemError, type Api, type User } from "./api.ts";
import { kept } from "./kit/kept.ts";

export function createSession(name: string, api: Api) {
  const user = kept<User | null>(`${name}-user`, null);
  return {
    /** Null when nobody is. */
    user: computed(() => user.value),
    /** Throws ProblemError. */
    async signIn(email: string, password: string): Promise<void> {
      user.value = (await api.session.open({ email, password, for: name } as never)).user;
    },
    async signOut(): Promise<void> {
      await api.session.close();
      user.value = null;
    },
    /** Asks whether a session that is remembered still stands. */
    async restore(): Promise<void> {
      if (user.peek() === null) return;
      try {
        user.value = (await api.session.get()).user;
      } catch (error) {
        if (error instanceof ProblemError && error.status === 401) user.value = null;
      }
    },
    /** For a call that was refused with 401: the session is over. */
    end(): void {
      user.value = null;
    },
  };
}
export type Session = ReturnType<typeof createSession>;
