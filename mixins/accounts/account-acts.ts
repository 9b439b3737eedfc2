// The acts of accounts that are recorded, each on the account that it concerns: `account.<user id>`. No password, token or key
// is told.
import type { Act } from "../audit/mixin.ts";

const own: Act["subject"] = ({ meta }) => meta.user?.id;
/** A log-in. One that was refused is nobody's: the address that was tried is not told. */
const logIn: Act = {
  subject: (_ctx, answer) => answer?.user.id,
  person: ({ user }) => user.id,
};

export const accountActs: Readonly<Record<string, Act>> = {
  register: { subject: (_ctx, answer) => answer?.id, person: ({ id }) => id },
  login: logIn,
  openSession: logIn,
  setRoles: { isAnnounced: true, subject: ({ params }) => params.id, details: ({ roles }) => ({ roles }) },
  changePassword: { isAnnounced: true, subject: own },
  resetPassword: {},
  endSession: { subject: own, details: ({ id }) => ({ session: id }) },
  endSessions: { subject: own, details: ({ others = false }) => ({ others }) },
  createApiKey: {
    subject: own,
    details: ({ scopes }, answer) => ({ scopes, ...(answer && { key: answer.id }) }),
  },
  revokeApiKey: { subject: ({ params }) => params.user, details: ({ id }) => ({ key: id }) },
  rotateKeys: { isAnnounced: true, subject: () => "signing-keys", details: ({ stolen = false }) => ({ stolen }) },
};
