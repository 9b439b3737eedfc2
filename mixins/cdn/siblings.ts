// The door for sibling floors: the indexes that the doctor looks for.
export { CDN_INDEXES } from "./migrations.ts";
