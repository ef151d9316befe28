#!/bin/sh
# Make the password of Airflow's database, once: /secrets/password for Postgres, and the same in the
# address that Airflow reads, without a newline. Nobody chooses it, and no file of the repository has one.
set -eu
umask 077
cd "${1:-/secrets}"
if [ ! -s password ]; then
    head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n' > .password
    mv .password password
    echo 'made the password of the database'
fi
printf 'postgresql+psycopg2://airflow:%s@postgres/airflow' "$(cat password)" > .airflow-database
mv .airflow-database airflow-database
