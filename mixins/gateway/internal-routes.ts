// Which routes are for operators. With INTERNAL_ROUTES=internal they are off the public port, where they do not exist (404),
// and on HEALTH_PORT, which no balancer leads to; who may use them stays the same.

/** `/metrics`, and operations in every version of the API. */
export const isInternal = (path: string): boolean => path === "/metrics" || /^\/api\/v\d+\/ops\//.test(path);
