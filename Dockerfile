# The steps are those of the Makefile: the page is bundled with Node in one image, the service runs without Node in another.
FROM python:3.12-slim-bookworm AS base
RUN apt-get update \
    && apt-get install -y --no-install-recommends libexpat1 make \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY Makefile setup.sh requirements.lock requirements-node.lock ./

FROM base AS page
COPY maps/workbench maps/workbench
RUN make workbench

FROM base
COPY . .
RUN make setup && rm -rf .cache && useradd --create-home lianpian && install -d -o lianpian var
COPY --from=page /app/maps/workbench/dist maps/workbench/dist
USER lianpian
ENV LIANPIAN_HOST=0.0.0.0 LIANPIAN_PORT=8000
EXPOSE 8000
HEALTHCHECK --start-period=30s --interval=30s --timeout=5s \
    CMD [".venv/bin/python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
CMD [".venv/bin/lianpian", "serve"]
