# syntax=docker/dockerfile:1
# `node deploy/pin-base.ts` adds the digest that the registry has for it.
ARG NODE=node:24-slim

FROM ${NODE} AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
COPY mixins/package.json mixins/
COPY client/package.json client/
COPY web/package.json web/
# Without the devDependency `node`: the image has its own Node. Without the tools of the pages: a stage of their own has them.
RUN --mount=type=cache,target=/root/.npm npm ci --omit=dev --ignore-scripts --workspace=mixins --include-workspace-root

FROM ${NODE} AS pages
WORKDIR /app
COPY package.json package-lock.json tsconfig.json ./
COPY mixins/package.json mixins/
COPY client client
COPY web web
RUN --mount=type=cache,target=/root/.npm npm ci --omit=dev --ignore-scripts --workspace=web --workspace=client
RUN node web/build.ts

FROM ${NODE}
ENV NODE_ENV=production \
    NODE_COMPILE_CACHE=/var/cache/valence \
    DATA_DIR=/data \
    HEALTH_PORT=8081
WORKDIR /app
RUN install --directory --mode=0700 --owner=1000 --group=1000 "$DATA_DIR" "$NODE_COMPILE_CACHE"
COPY --from=dependencies /app/node_modules node_modules
COPY package.json moleculer.config.ts ./
COPY mixins mixins
COPY services services
COPY --from=pages /app/web/dist web/dist
# Packages of which the workspace needs another version than the root has.
COPY --from=dependencies /app/mixins/node_modules mixins/node_modules
# A number, because Kubernetes cannot tell whether a user's name means root.
USER 1000:1000
# Fills the compile cache, so that a start compiles nothing. It runs here because the cache depends on user, path and
# version of Node. The first command loads all services, the second the runner, with a service that needs no other.
RUN export DATA_DIR=/tmp/baked; node mixins/cli/valence.mjs migrate && SERVICES=ops node mixins/cli/valence.mjs start --once && rm -r /tmp/baked
# Any name for the code in the image: a start with another name tries parked streams once more.
ARG RELEASE=
ENV RELEASE=$RELEASE
LABEL org.opencontainers.image.title="Valence" \
  org.opencontainers.image.description="Every service set of the shop; SERVICES tells which of them a container runs" \
  org.opencontainers.image.licenses="MIT" \
  org.opencontainers.image.revision=$RELEASE
VOLUME /data
EXPOSE 3000 8081
HEALTHCHECK --interval=10s --start-period=60s --start-interval=1s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.HEALTH_PORT}/health/live`).then(r => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "mixins/cli/valence.mjs", "start"]
