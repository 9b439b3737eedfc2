export { closeWithBroker } from "./closing.ts";
export { migrate } from "./migrate.ts";
export { openDatabase } from "./open.ts";
export { Sql } from "./service-database.ts";
