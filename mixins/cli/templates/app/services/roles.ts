// Roles of people, and what each may do. A contract names the permission that an action needs; one without asks for none.
import { defineRoles } from "@valence/runtime/contract";

export const roles = defineRoles({
  admin: { says: "Operates the services, and grants roles.", may: ["*"] },
});
