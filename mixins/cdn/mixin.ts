export { Purges, type Purging } from "./purges.ts";
