import { useSignal } from "@preact/signals";
import { useLocation } from "preact-iso";
import { ProblemError } from "../../../api.ts";
import { Button, Field, focusFault, textIn, usePage } from "../../../kit/index.ts";
import { pathBack, signInAt } from "../../back.ts";
import { welcome } from "../../entrance.ts";
import { session, shop } from "../../shop.ts";
import { faultsOf, type Faults } from "./model.ts";

export default function Register() {
  const heading = usePage("Make an account");
  const { url, query, route } = useLocation();
  const busy = useSignal(false);
  const faults = useSignal<Faults>({});
  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    if (busy.value) return;
    const form = event.currentTarget as HTMLFormElement;
    const [name, email, password] = [textIn(event, "name"), textIn(event, "email"), textIn(event, "password")];
    busy.value = true;
    try {
      await shop.auth.register({ name, email, password });
      await session.signIn(email, password);
      await welcome();
      route(pathBack(query["back"]), true);
    } catch (error) {
      if (!(error instanceof ProblemError)) throw error;
      faults.value = faultsOf(error);
      focusFault(form);
    } finally {
      busy.value = false;
    }
  };
  const { form: wrong, name, email, password } = faults.value;
  return (
    <div class="narrow card stack">
      <h1 ref={heading} tabIndex={-1}>
        Make an account
      </h1>
      <p class="soft">To order, and to see what you have ordered. Your cart comes along.</p>
      <form class="stack" onSubmit={submit}>
        <div role="alert" tabIndex={-1}>
          {wrong !== undefined && (
            <div class="notice bad">
              <div>{wrong}</div>
            </div>
          )}
        </div>
        <Field label="Your name" name="name" autocomplete="name" required maxLength={200} error={name} />
        <Field label="E-mail address" name="email" type="email" autocomplete="username" required error={email} />
        <Field
          label="Password"
          name="password"
          type="password"
          autocomplete="new-password"
          required
          minLength={8}
          maxLength={128}
          hint="8 characters or more."
          error={password}
        />
        <Button kind="primary" type="submit" full busy={busy.value}>
          Make an account
        </Button>
      </form>
      <p class="small">
        You have one? <a href={signInAt(url)}>Sign in</a>
      </p>
    </div>
  );
}
