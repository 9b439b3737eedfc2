import { expect, test } from "@jest/globals";
import { DatabaseError } from "pg";
import { failureOf } from "./failures.ts";

const said = (severity: string, code: string): DatabaseError =>
  Object.assign(new DatabaseError("no space left", 1, "error"), { severity, code });

test.each([
  ["a log that cannot be synced", said("PANIC", "58030"), "lost"],
  ["a full disk at the commit", said("PANIC", "53100"), "lost"],
  ["a session that ends", said("FATAL", "57P01"), "lost"],
  ["a connection that broke", new Error("read ECONNRESET"), "lost"],
  ["a full disk at an insert", said("ERROR", "53100"), "undone"],
  ["a server that is a standby now", said("ERROR", "25006"), "undone"],
  ["a deadlock", said("ERROR", "40P01"), "contended"],
])("P1 %s", (_what, error, failure) => expect(failureOf(error)).toBe(failure));
