export { seedEnvironment } from "../first-start.ts";
