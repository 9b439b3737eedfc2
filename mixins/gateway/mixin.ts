export { Gateway, type GatewayOptions, type GatewayService } from "./gateway.ts";
