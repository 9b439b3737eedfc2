export { defineProjection, type Projection, type Table } from "./define-projection.ts";
export { projectionErrors } from "./errors.ts";
export { given, type GivenEvent } from "./given.ts";
