// The actions of the service `audit`, for people who may read it.
import Type from "typebox";
import { Cursor, defineContract, defineFormat } from "../contract/index.ts";
import { auditErrors } from "./errors.ts";
import { limits } from "./limits.ts";

const id = Type.String({ minLength: 1, maxLength: 200, pattern: "^[A-Za-z0-9][A-Za-z0-9_.:@-]*$" });
// The bare id of a thing finds nothing, which would read as if nothing had happened to it.
const subject = Type.String({
  maxLength: 200,
  format: defineFormat("audit-subject", {
    check: /^[A-Za-z0-9][A-Za-z0-9_-]*\.[A-Za-z0-9_.:@-]+$/,
    says: "must be the type of an actor and its id, as in loan.42",
    example: "loan.42",
  }),
});
const time = Type.String({ format: "date-time", maxLength: 40 });
const Head = Type.Object(
  { partition: Type.Integer(), seq: Type.Integer(), hash: Type.String() },
  { title: "AuditHead" },
);

/** One record: an event, with who caused it, when and from which request. */
const Record = Type.Object(
  {
    partition: Type.Integer(),
    seq: Type.Integer(),
    previous: Type.String(),
    hash: Type.String(),
    at: Type.String(),
    type: Type.String(),
    subject: Type.String(),
    version: Type.Integer(),
    person: Type.Optional(Type.String()),
    key: Type.Optional(Type.String()),
    caller: Type.Optional(Type.String()),
    node: Type.Optional(Type.String()),
    requestId: Type.Optional(Type.String()),
    trace: Type.Optional(Type.String()),
    commandId: Type.Optional(Type.String()),
    data: Type.Unknown(),
  },
  { title: "AuditRecord" },
);

const Fault = Type.Object({
  kind: Type.Enum(["edited", "removed", "inserted", "reordered", "rewritten"]),
  partition: Type.Optional(Type.Integer()),
  seq: Type.Optional(Type.Integer()),
  through: Type.Optional(Type.Integer()),
  checkpoint: Type.Optional(Type.Integer()),
  says: Type.String(),
});

export const contract = defineContract({
  service: "audit",
  actions: {
    /**
     * Records, the newest first: of one `subject` (`loan.42`), of a type of `actor` (`loan`), of a `person`, in a time.
     * `cursor` continues the list.
     */
    list: {
      params: {
        subject: Type.Optional(subject),
        actor: Type.Optional(id),
        person: Type.Optional(id),
        from: Type.Optional(time),
        to: Type.Optional(time),
        limit: Type.Optional(Type.Integer({ minimum: 1, maximum: limits.listedMax })),
        cursor: Type.Optional(Cursor),
      },
      returns: Type.Object({ records: Type.Array(Record), nextCursor: Type.Optional(Type.String()) }),
    },
    /**
     * Whether the audit is as it was written, and the first record of each partition that is not. A long one goes on in the
     * background: ask again for its verdict, which is answered for a minute; `at` is when it was begun (RFC 3339).
     */
    verify: {
      params: {},
      returns: Type.Object({
        state: Type.Enum(["running", "done"]),
        at: Type.Optional(Type.String()),
        records: Type.Integer(),
        of: Type.Integer(),
        ok: Type.Optional(Type.Boolean()),
        checkpoints: Type.Optional(Type.Integer()),
        anchored: Type.Optional(Type.Integer()),
        anchorGoesOnTo: Type.Optional(Type.Integer()),
        signedBy: Type.Optional(Type.Array(Type.String())),
        heads: Type.Optional(Type.Array(Head)),
        faults: Type.Optional(Type.Array(Fault)),
      }),
    },
    /**
     * The whole audit as lines of NDJSON, a page at a time: keys, checkpoints, heads, then records. All pages together are an
     * export that `npx valence audit verify` verifies offline. `cursor` continues it.
     */
    export: {
      params: { cursor: Type.Optional(Cursor) },
      returns: Type.Object({
        lines: Type.Array(Type.String()),
        /** Records in this page; and of the whole export, as far as is known now. */
        records: Type.Integer(),
        of: Type.Integer(),
        nextCursor: Type.Optional(Type.String()),
      }),
    },
    /** Where it stands: its partitions, the newest checkpoint, the key that signs, and what keeps it from signing. */
    status: {
      params: {},
      returns: Type.Object({
        heads: Type.Array(Head),
        checkpoint: Type.Optional(Type.Object({ number: Type.Integer(), at: Type.String() })),
        unanchored: Type.Optional(Type.Integer()),
        removedUpTo: Type.Integer(),
        key: Type.Object({ id: Type.String(), publicKey: Type.String() }),
        trouble: Type.Optional(Type.String()),
      }),
    },
  },
  refusals: { AUDIT_EXPORT_OVERTAKEN: auditErrors.AUDIT_EXPORT_OVERTAKEN },
  mayRefuse: { list: [], verify: [], export: ["AUDIT_EXPORT_OVERTAKEN"], status: [] },
  permissions: { list: "audit:read", verify: "audit:read", export: "audit:read", status: "audit:read" },
});
declare global {
  interface Contracts {
    audit: typeof contract;
  }
}
