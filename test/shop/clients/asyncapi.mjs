// node test/shop/clients/asyncapi.mjs FILE: what AsyncAPI's parser finds wrong in a description, and the messages that it has.
import { readFileSync } from "node:fs";
import { Parser } from "@asyncapi/parser";

const { document, diagnostics } = await new Parser().parse(readFileSync(process.argv[2], "utf8"));
// Severity 0 is an error; the others are advice, such as that there is a newer version of AsyncAPI.
const errors = diagnostics.filter(({ severity }) => severity === 0).map(({ message, path }) => ({ message, path }));
const messages = document
  ?.allMessages()
  .all()
  .map(message => message.name());
console.log(JSON.stringify({ errors, messages }));
