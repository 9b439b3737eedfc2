export { API, orderStream, route, type Access, type Request, type Route } from "./route/route.ts";
