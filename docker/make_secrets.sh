#!/bin/sh
# Make what nobody chooses and no file of the repository has, once: make_secrets.sh [DATABASE [SPARK [DOCUMENTS
# [CONNECT [ENGINES]]]]].
#
# In the first folder the password of Airflow's database, for Postgres, and the same in the address
# that Airflow reads, without a newline. In the second the secret of Spark's daemons and drivers. In
# the third the login of CouchDB, as variables: its own names, and those of whoever publishes. In the
# fourth both secrets of Spark Connect, as variables, for its server and our worker; in the fifth the
# one of them that the API shows to the worker.
set -eu
umask 077
database=${1:-/secrets} spark=${2:-/spark-secret} documents=${3:-/documents-secret}
connect=${4:-/connect-secret} engines=${5:-/engine-secret}
make() {
    [ ! -s "$1/$2" ] || return 0
    head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n' > "$1/.$2"
    mv "$1/.$2" "$1/$2"
    echo "made the $3"
}
make "$database" password 'password of the database'
make "$spark" spark 'secret of Spark'
make "$documents" password 'password of CouchDB'
login() {
    printf '%sUSER=marquee\n%sPASSWORD=%s\n' "$2" "$2" "$(cat "$documents/password")" \
        > "$documents/.$1"
    mv "$documents/.$1" "$documents/$1"
}
login couchdb COUCHDB_
login documents MARQUEE_DOCUMENTS__
printf 'postgresql+psycopg2://airflow:%s@postgres/airflow' "$(cat "$database/password")" \
    > "$database/.airflow-database"
mv "$database/.airflow-database" "$database/airflow-database"
make "$connect" token 'token of Spark Connect'
make "$connect" secret 'secret of its worker'
printf 'MARQUEE_CONNECT_SECRET=%s\n' "$(cat "$connect/secret")" > "$engines/.engines"
mv "$engines/.engines" "$engines/engines"
{
    printf 'SPARK_CONNECT_AUTHENTICATE_TOKEN=%s\n' "$(cat "$connect/token")"
    cat "$engines/engines"
} > "$connect/.connect"
mv "$connect/.connect" "$connect/connect"
