#!/bin/sh
# Remove from an image what no process of it opens: slim.sh VENV CACHE [worker].
#
# Installer, downloads, tests and headers of packages, Arrow's RPC. A worker also loses jars of Spark
# that only drivers, Kubernetes, Hive, streaming or another system load, the unpacked copy of pyspark
# (its Python reads pyspark.zip), and all of SciPy but its sparse matrices.
set -eu
venv=$1 cache=$2 role=${3:-}
packages=$(echo "$venv"/lib/python3.*/site-packages)
rm -rf "$venv"/tool "$cache"/jars/trust.p12
cd "$packages"
rm -rf pyspark/examples pyspark/data pyarrow/include pyarrow/tests pyarrow/src
# libarrow_substrait stays: pyarrow's own library is linked with it.
rm -f pyarrow/libarrow_flight* pyarrow/_flight* pyarrow/libgandiva* pyarrow/gandiva* \
    pyarrow/libarrow_s3* pyarrow/_s3fs*
for package in numpy scipy pandas; do
    [ ! -d "$package" ] || find "$package" -type d -name tests -prune -exec rm -rf {} +
done
find . -name '*.pyx' -delete
if [ "$role" = worker ]; then
    for part in cluster datasets differentiate fft fftpack integrate interpolate io linalg \
        ndimage odr optimize signal sparse/linalg/_eigen sparse/linalg/_dsolve spatial special stats
    do
        rm -rf "scipy/$part"
    done
    rm -rf scipy.libs
    find pyspark -mindepth 1 -maxdepth 1 -type d ! -name jars ! -name bin ! -name sbin \
        ! -name python -exec rm -rf {} +
    cd pyspark/jars
    rm -f rocksdbjni-* spark-hive* spark-kubernetes* spark-connect* spark-repl* hive-beeline-* \
        hive-cli-* hive-common-* hive-exec-* hive-jdbc-* hive-llap-* hive-metastore-* hive-serde-* \
        hive-service-* hive-shims-* datanucleus-* derby* jdo-api-* javax.jdo-* libthrift-* \
        kubernetes-* scala-compiler-* vertx-* netty-codec-native-quic-* zookeeper-* \
        netty-*-osx-* netty-*-windows-*
fi
