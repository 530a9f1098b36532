# One image for every process of the Procfile; the command says which.
FROM python:3.12-slim AS build
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY runtime runtime
COPY models models
COPY providers providers
COPY services services
COPY ingest ingest
COPY workers workers
COPY api api
COPY cli cli
COPY sandbox sandbox
RUN python -m venv /opt/hookline \
 && /opt/hookline/bin/pip install --no-cache-dir --constraint constraints.txt '.[rabbitmq,s3]'

FROM python:3.12-slim
COPY --from=build /opt/hookline /opt/hookline
RUN useradd --system --uid 10001 hookline && mkdir -p /run/hookline/metrics && chown -R hookline /run/hookline
ENV PATH=/opt/hookline/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    INGEST_BIND=0.0.0.0:8001 API_BIND=0.0.0.0:8002 METRICS_BIND=0.0.0.0:9191 \
    PROMETHEUS_MULTIPROC_DIR=/run/hookline/metrics
USER hookline
# Each container starts with no metrics of an earlier life.
ENTRYPOINT ["/bin/sh", "-c", "rm -f \"$PROMETHEUS_MULTIPROC_DIR\"/*.db; exec hookline \"$@\"", "hookline"]
CMD ["--help"]
