import { expect, test } from "@jest/globals";
import { commandFor, filesOf, kindOf, PROJECTS, projectsIn } from "./kinds.ts";

const PATHS: [string, string[]][] = [
  ["services/loans/loan.test.ts", ["unit"]],
  ["mixins/kernel/postgres-url.test.ts", ["unit"]],
  ["mixins/actor/v1.frozen.test.ts", ["unit"]],
  ["services/loans/loans.int.test.ts", ["int", "postgres"]],
  ["services/loans/mails.db.test.ts", ["int"]],
  ["mixins/database/dialects/sqlite/sqlite.test.ts", ["int"]],
  ["test/cluster/failure.nats.test.ts", ["int"]],
  ["mixins/stream/carriers/kafka.test.ts", ["kafka"]],
  ["mixins/event-store/dialects/postgres/shards.postgres.test.ts", ["postgres"]],
];

test.each(PATHS)("%s runs in %j", (path, projects) => {
  expect(kindOf(path).projects).toEqual(projects);
  expect(PROJECTS.filter(project => new RegExp(filesOf(project)).test(`/app/${path}`))).toEqual(projects);
});

test("other files are in no project", () => {
  for (const path of ["/app/loan.ts", "/app/loan.int.fixture.ts", "/app/store.conformance.ts", "/app/a.test.tsx"])
    expect(PROJECTS.filter(project => new RegExp(filesOf(project)).test(path))).toEqual([]);
});

test("the command that runs a file alone runs it in one project", () => {
  expect(commandFor("a.test.ts", "unit")).toBe("npm run test:unit -- a.test.ts");
  expect(commandFor("a.nats.test.ts", "int")).toBe("npm run test:int -- a.nats.test.ts");
  expect(commandFor("a.int.test.ts", "int")).toBe("npm run test:int -- a.int.test.ts --selectProjects int");
  expect(commandFor("a.int.test.ts", "postgres")).toBe("npm run test:postgres -- a.int.test.ts");
});

test("projects are read as jest reads them, and a path among them is refused", () => {
  expect(projectsIn(["services", "-t", "x"])).toEqual([]);
  expect(projectsIn(["services", "--selectProjects", "int", "postgres", "-t", "x"])).toEqual(["int", "postgres"]);
  expect(projectsIn(["--selectProjects=unit"])).toEqual(["unit"]);
  expect(() => projectsIn(["--selectProjects", "unit", "services"])).toThrow('"services" is no project');
});
