export { closeWithBroker } from "./closing.ts";
export { migrate } from "./migrate.ts";
export { openDatabase, type DatabaseOptions } from "./open.ts";
export { Sql } from "./service-database.ts";
