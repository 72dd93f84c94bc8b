#!/usr/bin/env bash
# A tiny experiment on a real Slurm of two nodes, once for each fault: are the weights those of an undisturbed local run?
#
#   tests/cluster/run.sh SLURM WORK [FAULT…]
#
# SLURM: a folder with start.sh DIR and stop.sh DIR, which start and end a Slurm with nodes n1 and n2 on this machine.
# WORK: an empty folder. Needs the environment of this repository, active, and root, as that Slurm does.
set -euo pipefail
repository=$(cd "$(dirname "$0")/../.." && pwd)
slurm=$1 work=$2
shift 2
faults=("$@")
[[ $# == 0 ]] && faults=(none fails cancelled out_of_time node_lost terminated killed)
began=$SECONDS

say() { printf '%4d s  %s\n' $((SECONDS - began)) "$*"; }

# Polls sooner than on a cluster, and asks for no more than the two nodes have.
submit() {
    snakemake --profile profiles/slurm --slurm-init-seconds-before-status-checks 1 --latency-wait 10 \
        --set-threads fetch_images=1 fetch_masks=1 "$@" >> snakemake.log 2>&1
}

# The lock of a run says who trains it.
lock=checkpoints/paris/rn/seed1.lock
holder() { sed -nE "s/.*$1 ([0-9]+).*/\1/p" $lock; }
job_id() { holder job; }

until_trained() {  # wait until a run has written some rows of its log
    until [[ -s $lock && $(wc -l < checkpoints/paris/rn/seed1/log.csv) -gt 5 ]]; do sleep 0.2; done 2> /dev/null
    say "step $(tail -n 1 checkpoints/paris/rn/seed1/log.csv | cut -d, -f1) of rn: $(cat $lock)"
}

until_idle() { while squeue --noheader | grep -q .; do sleep 1; done; }

fault() {
    case $1 in
    none) ;;
    fails) kill -9 "$(holder process)" && say "kill -9 of the training, as for lack of memory" ;;
    cancelled) scancel "$(job_id)" && say "scancel" ;;
    out_of_time) scontrol update "JobId=$(job_id)" TimeLimit=1 && say "its time limit is now one minute" ;;
    node_lost)
        local job node
        job=$(job_id) node=$(squeue --noheader --job "$(job_id)" --format %N)
        kill -9 "$(cat "$work/slurm/slurmd.$node.pid")"
        grep --files-with-matches --null-data "^SLURM_JOB_ID=$job$" /proc/[0-9]*/environ 2> /dev/null |
            cut -d/ -f3 | xargs kill -9
        say "$node and everything on it is gone"
        ;;
    terminated) kill -TERM "$1_main" ;;
    esac
}

# What the fault does not touch is made once, locally; so are the weights to compare with.
mkdir -p "$work"
cd "$work"
PYTHONPATH=$repository python -m tests.cluster.experiment "$work/local"
cd local
snakemake --cores 2 -- data masks > snakemake.log 2>&1
cp -a . ../prepared
snakemake --cores 2 -- weights > snakemake.log 2>&1
say "local run: $(sha256sum results/weights/paris/*/seed1/weights.safetensors | cut -c1-8 | xargs)"
