export { defineProjection, type Projection, type Table } from "./define-projection.ts";
export { project, type GivenEvent } from "./project.ts";
