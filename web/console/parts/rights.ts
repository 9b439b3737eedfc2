// Who may change something. The API decides; a button that it would refuse is not shown.
import { session } from "../console.ts";

/** Whether the operator may act, and not only look on. */
export const mayAct = (): boolean => session.user.value?.roles.includes("admin") ?? false;
