# The locked environment, spl and its workflow: docker build --tag spl .       docs/cluster.md says how to use it
FROM python:3.11-slim
WORKDIR /spl
COPY requirements.lock .
RUN pip install --no-cache-dir --require-hashes --requirement requirements.lock
COPY . .
RUN pip install --no-cache-dir --no-deps --no-build-isolation --editable .
# Any user may run it (docker run --user): caches need a folder that one can write to.
ENV HOME=/tmp
WORKDIR /work
ENTRYPOINT ["snakemake", "--snakefile", "/spl/Snakefile"]
CMD ["--help"]
