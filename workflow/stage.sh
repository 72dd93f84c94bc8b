#!/usr/bin/env bash
# One stage of dvc.yaml: rebuild what belongs to other settings, and what is missing.
#
#   workflow/stage.sh weights -- results/weights      Snakemake targets, and where their files lie
#
# Two steps on purpose: inside $(...) on Snakemake's own line a failing `spl stale` would pass for "nothing is stale".
set -euo pipefail
# The programs beside the DVC that calls this, wherever it was called from: some shells stand between the two.
pid=$PPID
while [[ -r /proc/$pid/cmdline ]]; do
    interpreter=$(tr '\0' '\n' < "/proc/$pid/cmdline" | head -n 1 || true)
    [[ -x ${interpreter%/*}/snakemake ]] && export PATH="${interpreter%/*}:$PATH" && break
    pid=$(sed -n 's/^PPid:\t*//p' "/proc/$pid/status")
done
targets=()
while [[ $1 != -- ]]; do targets+=("$1"); shift; done

# Files that DVC restored into a fresh workspace have no Snakemake records and arbitrary times. Touching them all in
# order makes Snakemake believe in them; whether they belong to params.yaml is what `spl stale` finds out.
if [[ ! -d .snakemake/metadata && -d data/sources ]]; then
    snakemake --touch --forceall --cores 1 --quiet all -- all
fi
stale=$(python -P -m spl stale "${@:2}")
# shellcheck disable=SC2086  # a list of files
snakemake --cores all ${stale:+--forcerun $stale} -- "${targets[@]}"
# DVC wants every out of a stage, also where an experiment has no teachers, priors, detections and so on.
mkdir -p data/structure results/teachers results/weights results/priors results/detections
