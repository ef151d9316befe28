#!/bin/sh
# Remove from an image what no process of it opens: slim.sh VENV CACHE [worker].
#
# Installer, downloads, tests of packages. A worker also loses jars of Spark that only drivers,
# Kubernetes, Hive or streaming load.
set -eu
venv=$1 cache=$2 role=${3:-}
packages=$(echo "$venv"/lib/python3.*/site-packages)
rm -rf "$venv"/tool "$cache"/jars/ivy "$cache"/jars/trust.p12
rm -rf "$packages"/pyspark/examples "$packages"/pyspark/data "$packages"/pyarrow/include \
    "$packages"/pyarrow/tests "$packages"/pyarrow/src
for package in numpy scipy pandas; do
    find "$packages/$package" -type d -name tests -prune -exec rm -rf {} + 2>/dev/null || true
done
find "$packages" -name '*.pyx' -delete
if [ "$role" = worker ]; then
    cd "$packages"/pyspark/jars
    rm -f rocksdbjni-* spark-hive* hive-beeline-* hive-cli-* hive-common-* hive-exec-* hive-jdbc-* \
        hive-llap-* hive-metastore-* hive-serde-* hive-service-* hive-shims-* datanucleus-* derby* jdo-api-* javax.jdo-* libthrift-* \
        kubernetes-* spark-kubernetes* spark-connect* spark-repl* scala-compiler-* vertx-* \
        netty-codec-native-quic-*
fi
