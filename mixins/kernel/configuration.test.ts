import { expect, test } from "@jest/globals";
import { configurationOf } from "./configuration.ts";
import { defineEnvironment, readEnvironment } from "./environment.ts";
import { checked, hidden, integer, perService, url } from "./variables.ts";

const desk = defineEnvironment("The desk", {
  DESK_PORT: integer({ default: 3000, min: 0, max: 65_535, says: "its port" }),
  DESK_TOKEN: hidden({ form: "a word", problem: () => undefined, says: "its token" }),
  DESK_URL: checked({ form: "a URL", problem: () => undefined, says: "where it is" }),
  "<SERVICE>_SHELF_URL": perService(url({ protocols: ["http:"], says: "where its shelf is" })),
});

test("what was read is listed with its value or its default, and no secret in it", () => {
  const environment = readEnvironment({
    DESK_TOKEN: "open sesame",
    DESK_URL: "http://ann:secret@desk.example/path",
    LOANS_SHELF_URL: "http://shelf.example",
    HOME: "/root",
  });
  expect(configurationOf(environment)).toEqual([]);
  desk.of(environment);
  expect(configurationOf(environment)).toEqual([
    { name: "DESK_PORT", value: "3000", isSet: false },
    { name: "DESK_TOKEN", value: "…", isSet: true },
    { name: "DESK_URL", value: expect.not.stringMatching(/ann|secret/), isSet: true },
    { name: "LOANS_SHELF_URL", value: "http://shelf.example", isSet: true },
  ]);
});
