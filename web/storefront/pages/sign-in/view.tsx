import { useLocation } from "preact-iso";
import { SignInForm, usePage } from "../../../kit/index.ts";
import { pathBack, registerAt } from "../../back.ts";
import { welcome } from "../../entrance.ts";
import { session } from "../../shop.ts";

export default function SignIn() {
  const heading = usePage("Sign in");
  const { url, query, route } = useLocation();
  const signIn = async (email: string, password: string): Promise<void> => {
    await session.signIn(email, password);
    await welcome();
    route(pathBack(query["back"]), true);
  };
  return (
    <div class="narrow card stack">
      <h1 ref={heading} tabIndex={-1}>
        Sign in
      </h1>
      <p class="soft">To order, and to see what you have ordered. Your cart comes along.</p>
      <SignInForm onSignIn={signIn} />
      <p class="small">
        New here? <a href={registerAt(url)}>Make an account</a>
      </p>
    </div>
  );
}
