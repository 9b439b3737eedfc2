// Routes that only the port for operators serves: a service of the process gives them, and the health server, which has
// that port, asks for them.
import type { IncomingMessage, ServerResponse } from "node:http";

type Handler = (req: IncomingMessage, res: ServerResponse) => void;

/** The handler of that port, made from the endpoints by path that it has besides: the health of the process. */
export type InternalRoutes = (endpoints: ReadonlyMap<string, Handler>) => Handler;

const routes = new WeakMap<object, InternalRoutes>();

/** The process serves these routes on HEALTH_PORT, besides its health. */
export const serveInternally = (broker: object, internal: InternalRoutes): void => void routes.set(broker, internal);

/** The routes that a service of this process gave; undefined without any. */
export const internalRoutesOf = (broker: object): InternalRoutes | undefined => routes.get(broker);
