export { gatewayEnvironment } from "./environment.ts";
