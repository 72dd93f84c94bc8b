#!/usr/bin/env bash
# Fetch what DVC has recorded and tell Snakemake that it is up to date.
#
#   workflow/sync.sh            after `git clone` or `git pull` of a repository with a dvc.lock
#
# DVC restores files without their times, so Snakemake would want to rebuild them. Once DVC vouches for every byte,
# touching all files in order writes Snakemake's own records.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PATH:$PWD/.venv/bin"  # where no environment is active

if [[ ! -f dvc.lock ]]; then
    echo "There is no dvc.lock: nothing was recorded yet. Build the results instead: dvc repro" >&2
    exit 1
fi
dvc pull
if ! dvc status -q; then
    echo "The files on disk are not those of dvc.lock, or params.yaml was changed:" >&2
    dvc status >&2
    echo "Restore params.yaml, or build what changed: dvc repro" >&2
    exit 1
fi
snakemake --touch --forceall --cores 1 --quiet all -- all
echo "In step with dvc.lock. Check: snakemake -n"
