// How a client says who asks. A page has a cookie that no script can read; a program has tokens, or an API key.
import type { ProblemError } from "./problem.ts";

/** Sends one request without credentials, and answers its body. */
export type Send = (line: string, input: object) => Promise<unknown>;

export interface Credentials {
  /** Header fields of a request. */
  readonly headers: () => Readonly<Record<string, string>>;
  /**
   * Called after a 401, with the header fields that were refused: whether the request is to be sent again. A rejection is the
   * error of the call.
   */
  readonly renew?: (problem: ProblemError, refused: Readonly<Record<string, string>>, send: Send) => Promise<boolean>;
}

interface Ending {
  /** Called when the session is over and the person has to log in again; once for each session. */
  readonly onEnd?: (problem: ProblemError) => void;
}

/**
 * The cookie of a browser session, which `session.open` sets and no script sees. `name` is that of the session where a host has several:
 * `shop`, `console`.
 */
export function cookies({ name, onEnd }: Ending & { readonly name?: string } = {}): Credentials {
  return {
    headers: () => (name === undefined ? {} : { "X-Session": name }),
    async renew(problem) {
      // A browser drops a cookie that is over by itself: then nothing is sent that could be refused.
      if (problem.code === "SESSION_ENDED" || problem.code === "UNAUTHENTICATED") onEnd?.(problem);
      return false;
    },
  };
}

/** An API key of `me.createKey`. */
export const apiKey = (key: string): Credentials => ({ headers: () => ({ "X-API-Key": key }) });

/** Tokens as `auth.login` answers them. */
export interface Tokens {
  readonly accessToken: string;
  readonly refreshToken: string;
}

/** Tokens that are renewed when the access token has expired: once, for all calls that wait for it. */
export interface TokenCredentials extends Credentials {
  /** The tokens now; undefined when nobody is logged in. */
  readonly tokens: Tokens | undefined;
  /** Takes the answer of `auth.login`, or forgets the tokens. */
  set(tokens: Tokens | undefined): void;
}

/**
 * Access and refresh token of a program. `onChange` is called with each new pair, to keep it: the former refresh token is worth
 * nothing any more.
 */
export function tokens({
  tokens: initial,
  onChange,
  onEnd,
}: Ending & { readonly tokens?: Tokens; readonly onChange?: (tokens: Tokens) => void } = {}): TokenCredentials {
  let current = initial;
  let renewal: Promise<boolean> | undefined;
  /** The header fields that the last renewal replaced. */
  let former: string | undefined;
  const headers = () => bearer(current);

  async function refresh(send: Send): Promise<boolean> {
    const { refreshToken } = current!;
    try {
      const renewed = (await send("POST /auth/refresh", { refreshToken })) as Tokens;
      // The program has logged in anew, or out, meanwhile.
      if (current?.refreshToken !== refreshToken) return false;
      former = headers()["Authorization"];
      current = renewed;
      onChange?.(renewed);
      return true;
    } catch (error) {
      const { status } = error as ProblemError;
      if (status === 401 && current?.refreshToken === refreshToken) {
        current = undefined;
        onEnd?.(error as ProblemError);
      }
      throw error;
    }
  }

  return {
    headers,
    get tokens() {
      return current;
    },
    set(next) {
      current = next;
      former = undefined;
    },
    async renew({ code }, refused, send) {
      if (!EXPIRED.includes(code)) return false;
      // Another call has renewed them since this one was sent. A call of somebody who has logged out is not sent as whoever came next.
      if (refused["Authorization"] !== headers()["Authorization"])
        return former !== undefined && refused["Authorization"] === former;
      if (current === undefined) return false;
      renewal ??= refresh(send).finally(() => (renewal = undefined));
      return renewal;
    },
  };
}
const bearer = (tokens: Tokens | undefined): Record<string, string> =>
  tokens ? { Authorization: `Bearer ${tokens.accessToken}` } : {};
const EXPIRED: readonly string[] = ["INVALID_TOKEN", "CALLER_UNPROVEN"];
