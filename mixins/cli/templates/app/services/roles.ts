// Roles of people, besides those who are only logged in. A contract names them in `roles`, a route in `access`.
import { defineRoles } from "@valence/runtime/contract";

export const roles = defineRoles({
  admin: "Operates the services, and grants roles.",
});
