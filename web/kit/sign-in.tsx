import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useRef } from "preact/hooks";
import { Button } from "./button.tsx";
import { Field } from "./field.tsx";
import { textIn } from "./form.ts";

interface Problem {
  readonly message: string;
  readonly code?: string | undefined;
  readonly requestId?: string | undefined;
  readonly retryAfterMs?: number | undefined;
}

/** What a person reads when the sign-in is refused. */
export function signInSays({ code, message, retryAfterMs }: Problem, now = Date.now()): string {
  if (code === "BAD_CREDENTIALS" || code === "WRONG_CREDENTIALS")
    return "This e-mail address and password do not belong together.";
  if (retryAfterMs === undefined) return message;
  const until = new Intl.DateTimeFormat(undefined, { timeStyle: "short" }).format(now + retryAfterMs);
  return `Too many attempts. Sign in again after ${until}.`;
}

/** E-mail address and password. What was typed stays when it is refused. */
export function SignInForm({
  onSignIn,
  children,
}: {
  readonly onSignIn: (email: string, password: string) => Promise<void>;
  readonly children?: ComponentChildren | undefined;
}) {
  const busy = useSignal(false);
  const wrong = useSignal<string>();
  const alert = useRef<HTMLDivElement>(null);
  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    if (busy.value) return;
    busy.value = true;
    try {
      await onSignIn(textIn(event, "email"), textIn(event, "password"));
    } catch (error) {
      wrong.value = signInSays(error as Problem);
      alert.current?.focus();
    } finally {
      busy.value = false;
    }
  };
  return (
    <form class="stack" onSubmit={submit}>
      <div ref={alert} role="alert" tabIndex={-1}>
        {wrong.value !== undefined && (
          <div class="notice bad">
            <div>{wrong.value}</div>
          </div>
        )}
      </div>
      <Field label="E-mail address" name="email" type="email" autocomplete="username" required />
      <Field label="Password" name="password" type="password" autocomplete="current-password" required />
      <Button kind="primary" type="submit" full busy={busy.value}>
        Sign in
      </Button>
      {children}
    </form>
  );
}
