export type { Entity, FieldKind, Fields, Row } from "./columns.ts";
export type { Table } from "./knex-adapter.ts";
