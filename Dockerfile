# syntax=docker/dockerfile:1
ARG NODE=node:24-slim

FROM ${NODE} AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
COPY mixins/package.json mixins/
# The devDependency `node` stays away: the image has its own.
RUN --mount=type=cache,target=/root/.npm npm ci --omit=dev --ignore-scripts

FROM ${NODE}
ENV NODE_ENV=production \
    NODE_COMPILE_CACHE=/var/cache/valence \
    DATA_DIR=/data \
    HEALTH_PORT=8081
WORKDIR /app
RUN install --directory --mode=0700 --owner=1000 --group=1000 "$DATA_DIR" "$NODE_COMPILE_CACHE"
COPY --from=dependencies /app/node_modules node_modules
COPY . .
# By number: Kubernetes cannot tell of a name whether it is root.
USER 1000:1000
# A start compiles nothing then. Here, since the cache is of a user, of a path and of a Node: the first loads all services,
# the second the runner, with a service that has nothing to wait for.
RUN DATA_DIR=/tmp/baked node mixins/cli/valence.mjs migrate && SERVICES=ops node mixins/cli/valence.mjs start && rm -r /tmp/baked
# What runs here, by any name: a start with another one tries parked streams once more.
ARG RELEASE=
ENV RELEASE=$RELEASE
VOLUME /data
EXPOSE 3000 8081
HEALTHCHECK --interval=10s --start-period=60s --start-interval=1s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.HEALTH_PORT}/health/live`).then(r => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "mixins/cli/valence.mjs", "start"]
