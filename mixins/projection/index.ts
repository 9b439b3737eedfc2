export { defineProjection, type Projection, type Table } from "./define-projection.ts";
export { given, type GivenEvent } from "./given.ts";
