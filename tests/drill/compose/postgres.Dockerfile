# Stands in for the official image of Postgres where no image registry is reachable: Debian's own
# package, with the variables of the official entry point that docker-compose.yaml sets.
ARG PYTHON_IMAGE
FROM ${PYTHON_IMAGE}
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends postgresql \
    && rm -rf /var/lib/apt/lists/* /var/lib/postgresql/*/main \
    && install --directory --owner=postgres /var/lib/postgresql/data
COPY postgres_entrypoint.sh /usr/local/bin/
ENTRYPOINT ["sh", "/usr/local/bin/postgres_entrypoint.sh"]
