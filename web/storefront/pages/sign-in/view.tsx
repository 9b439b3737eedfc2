import { useLocation } from "preact-iso";
import { SignInForm, toast, usePage } from "../../../kit/index.ts";
import { session } from "../../shop.ts";
import { pathBack } from "./model.ts";

export default function SignIn() {
  const heading = usePage("Sign in");
  const { query, route } = useLocation();
  const signIn = async (email: string, password: string): Promise<void> => {
    await session.signIn(email, password);
    toast(`Welcome, ${session.user.peek()!.name}.`);
    route(pathBack(query["back"]), true);
  };
  return (
    <div class="narrow card stack">
      <h1 ref={heading} tabIndex={-1}>
        Sign in
      </h1>
      <p class="soft">To order, and to see what you have ordered. Your cart comes along.</p>
      <SignInForm onSignIn={signIn} />
    </div>
  );
}
