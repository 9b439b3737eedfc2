// No message of a start shows four characters of a password, for every variable and every mistake.
import { expect, test } from "@jest/globals";
import { inspect } from "node:util";
import { locationOf, readPostgresUrl } from "@valence/runtime/database";
import { natsOptions, nodeEnvironment, readEnvironment } from "@valence/runtime/kernel";
import { declaredIn } from "../../mixins/cli/declared.ts";
import { serviceNames } from "../../mixins/operations/services.ts";
import {
  FORMS,
  MISSHAPEN,
  ODD,
  passwordOf,
  pick,
  SCHEMES,
  SEED,
  shows,
  TIMES,
} from "../../mixins/testing/passwords.ts";

const all = await declaredIn("services", serviceNames("services"));
const VARIABLES = [
  "DATABASE_URL",
  "ORDERS_DATABASE_URL",
  "ODRERS_DATABASE_URL",
  "DATABASE_REPLICA_URL",
  "NATS_URL",
  "REDIS_URL",
  "REDDIS_URL",
  "NATS_URLL",
  "PAYMENT_PROVIDER_URL",
  "SERVICES",
  "LOGLEVEL",
  "NODEID",
];

/** The start's messages about the variable: its refusal, or the places that later messages name. */
function said(variable: string, value: string): string {
  try {
    const environment = readEnvironment({ [variable]: value }, all);
    const { NATS_URL } = nodeEnvironment.of(environment);
    const locations = ["orders", "catalog"].map(service => locationOf(environment, service));
    const places = locations.flatMap(location => {
      if (location.kind === "sqlite") return [];
      return [...location.shards, ...(location.replica ? [location.replica] : [])].map(
        url => readPostgresUrl(url).place,
      );
    });
    return [...places, ...(NATS_URL ? natsOptions(NATS_URL).servers : [])].join();
  } catch (error) {
    return inspect(error);
  }
}

test(`no message about a variable shows a password, seed ${SEED}`, () => {
  const leaks: string[] = [];
  let refused = 0;
  for (let i = 0; i < TIMES; i++) {
    const password = passwordOf(ODD);
    for (const form of [...FORMS, ...MISSHAPEN]) {
      const variable = pick(VARIABLES);
      const value = form(pick(SCHEMES), password);
      const text = said(variable, value);
      if (text.includes(`${variable}="`)) refused += 1;
      if (shows(text, password) !== undefined) leaks.push(`${variable}=${value}: ${text}`);
    }
  }
  expect(leaks).toEqual([]);
  expect(refused).toBeGreaterThan(TIMES);
});
