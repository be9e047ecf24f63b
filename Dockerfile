# NowConnect: one image for hub and agent.
#
#   docker build -t nowconnect:0.1.0 .
#   docker run … nowconnect:0.1.0 hub --config /etc/nowconnect/hub.yaml
#   docker run … nowconnect:0.1.0 agent --config /etc/nowconnect/agent.yaml

# The packages that the daemons run with, and nothing else.
FROM node:24-slim AS packages
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --ignore-scripts --no-progress

FROM node:24-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts --no-progress
COPY . .
RUN npm run build && find dist -name '*.map' -delete && rm -f dist/.tsbuildinfo

FROM node:24-slim
ENV NODE_ENV=production
WORKDIR /app
COPY package.json LICENSE ./
COPY --from=packages /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
# The image's own user "node", by number so that an orchestrator can see that it is not root.
USER 1000:1000
# /healthz of whichever daemon runs here: the agent's port 8090, then the hub's 8000.
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s --retries=3 CMD ["node", "/app/dist/cli/main.js", "health"]
ENTRYPOINT ["node", "/app/dist/cli/main.js"]
CMD ["--help"]
