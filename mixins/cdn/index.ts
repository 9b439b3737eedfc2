export { cdnEnvironment } from "./environment.ts";
