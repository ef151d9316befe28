#!/bin/sh
# Make what nobody chooses and no file of the repository has, once: make_secrets.sh [DATABASE [SPARK]].
#
# In the first folder the password of Airflow's database, for Postgres, and the same in the address
# that Airflow reads, without a newline. In the second the secret of Spark's daemons and drivers.
set -eu
umask 077
database=${1:-/secrets} spark=${2:-/spark-secret}
make() {
    [ ! -s "$1/$2" ] || return 0
    head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n' > "$1/.$2"
    mv "$1/.$2" "$1/$2"
    echo "made the $3"
}
make "$database" password 'password of the database'
make "$spark" spark 'secret of Spark'
printf 'postgresql+psycopg2://airflow:%s@postgres/airflow' "$(cat "$database/password")" \
    > "$database/.airflow-database"
mv "$database/.airflow-database" "$database/airflow-database"
