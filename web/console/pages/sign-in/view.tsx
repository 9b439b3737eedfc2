import { SignInForm, usePage } from "../../../kit/index.ts";
import { session } from "../../console.ts";

/** In place of every screen, at its own address: after the sign-in one is where one wanted to be. */
export function SignIn() {
  const heading = usePage("Sign in", "Console");
  return (
    <main class="alone">
      <div class="card stack">
        <h1 ref={heading} tabIndex={-1}>
          Operations console
        </h1>
        <p class="soft">For those who run the shop. The first administrator’s password was shown at the first start.</p>
        <SignInForm onSignIn={(email, password) => session.signIn(email, password)} />
        <p class="small">
          <a href="/">To the shop</a>
        </p>
      </div>
    </main>
  );
}
