// An owner of events, and a service that makes public ones of them.
import type { ServiceSchema } from "moleculer";
import Type from "typebox";
import { Source } from "../log/source.fixture.ts";
import { defineOutbound, type Outbound } from "./define-outbound.ts";
import { Outbounds } from "./outbounds.ts";

export const PUBLIC = "library.loan.ended";
export const newSource = (): Source => new Source("loans", "loan", ["loan.made", "loan.ended"]);

/** Ends of loans are told, but those with `secret` in their data; one with other data breaks the schema. */
export const LoanEnded: Outbound = defineOutbound({
  event: PUBLIC,
  topic: "public.loans",
  schema: { loan: Type.String(), n: Type.Integer() },
  on: {
    "loan.ended": ({ stream, data }: any) => ("secret" in data ? undefined : { loan: stream, ...data }),
  } as object,
});

/** The service that sends them. */
export const desk = (outbound: Outbound = LoanEnded): ServiceSchema => ({
  name: "desk",
  mixins: [Outbounds(outbound)],
});
