export { defineProjection, type Projection, type Table } from "./define-projection.ts";
export { projectionErrors } from "./errors.ts";
export { project, type GivenEvent } from "./project.ts";
