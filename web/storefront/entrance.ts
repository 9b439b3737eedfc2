// What happens when somebody has signed in: the carts join, it is said, and one is back where one was.
import { toast } from "../kit/index.ts";
import { joinCarts } from "./cart.ts";
import { session } from "./shop.ts";

export async function welcome(): Promise<void> {
  const hello = `Welcome, ${session.user.peek()!.name}.`;
  try {
    const said = await joinCarts();
    toast(said === undefined ? hello : `${hello} ${said}`);
  } catch {
    toast(`${hello} Your cart could not be joined with that of your account yet; it is as it was.`);
  }
}
