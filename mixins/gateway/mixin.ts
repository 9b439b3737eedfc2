export { STEPS } from "./pipeline.ts";
export { Gateway, type GatewayOptions, type GatewayService } from "./gateway.ts";
