#!/usr/bin/env bash
# A tiny experiment on a real Slurm of two nodes, hit by one fault after the other. Each time the weights have to be,
# byte for byte, those of an undisturbed local run.
#
#   tests/cluster/run.sh SLURM WORK [FAULT…]
#
# SLURM: folder with start.sh DIR and stop.sh DIR, which start and end a Slurm with nodes n1 and n2 on this machine.
# WORK: a folder, new or of an earlier call. The environment of this repository has to be active.
set -euo pipefail
repository=$(cd "$(dirname "$0")/../.." && pwd)
slurm=$1 work=$2
faults=("${@:3}")
[[ ${faults[*]} ]] || faults=(none fails cancelled out_of_time preempted node_lost terminated killed)

say() { printf '%4d s  %s\n' $((SECONDS - began)) "$*"; }

# Polls sooner than it may on a cluster, and asks for no more threads than a node has.
submit=(snakemake --profile profiles/slurm --slurm-init-seconds-before-status-checks 1 --latency-wait 10
    --set-threads fetch_images=1 fetch_masks=1
    --default-resources "slurm_account='none'" "slurm_extra='--signal=TERM@20'" --)

hashes() { sha256sum results/weights/paris/*/seed1/weights.safetensors | cut -c1-12 | xargs; }

# The lock of a run says who trains it.
lock=checkpoints/paris/rn/seed1.lock
holder() { sed -E "s/.*$1 ([0-9]+).*/\1/" $lock; }

until_trained() { # until rn has written some rows of its log
    until [[ -s $lock && $(wc -l < checkpoints/paris/rn/seed1/log.csv) -gt 5 ]]; do sleep 0.2; done 2> /dev/null
    job=$(holder job) process=$(holder process)
    say "rn is at step $(tail -n 1 checkpoints/paris/rn/seed1/log.csv | cut -d, -f1), trained by job $job"
}

until_ended() { # until the process that trained rn is gone
    while [[ -e /proc/$process ]]; do sleep 0.2; done
    [[ -s checkpoints/paris/rn/seed1/state.pt ]] && say "its state is saved" || say "it left no state"
}

strike() {
    case $1 in
    fails) kill -9 "$process" && say "kill -9 of its process, as for lack of memory" ;;
    cancelled) scancel "$job" && say "scancel" ;;
    out_of_time) scontrol update "JobId=$job" TimeLimit=1 && say "its time limit is one minute from now on" ;;
    preempted) scontrol requeue "$job" && say "scontrol requeue, as for a job of higher priority" ;;
    node_lost)
        node=$(squeue --noheader --jobs "$job" --format %N)
        kill -9 "$(cat "$work/slurm/slurmd.$node.pid")"
        grep --files-with-matches --null-data "^SLURM_JOB_ID=$job$" /proc/[0-9]*/environ 2> /dev/null |
            cut -d/ -f3 | xargs kill -9 || true # some are gone before they are hit
        say "slurmd of $node and all processes there: kill -9"
        ;;
    terminated) kill -TERM "$main" && say "SIGTERM to Snakemake" ;;
    killed)
        kill -9 "$main" && say "kill -9 of Snakemake"
        snakemake --unlock >> snakemake.log 2>&1
        "${submit[@]}" weights >> snakemake.log 2>&1 && say "second Snakemake: ended well"
        say "second Snakemake: $(grep --only-matching 'is being trained.*' snakemake.log | head -n 1)"
        while squeue --noheader --format %Z | grep -qx "$PWD"; do sleep 1; done
        say "the jobs of the first one have ended"
        ;;
    esac
}

# The undisturbed run, and what no fault touches.
began=$SECONDS
mkdir -p "$work"
if [[ ! -d $work/local ]]; then
    (cd "$repository" && python -m tests.cluster.experiment "$work/new")
    cp -a "$work/new" "$work/prepared"
    cd "$work/prepared"
    snakemake --cores 2 -- data masks > snakemake.log 2>&1
    cp -a . "$work/local"
fi
cd "$work/local"
snakemake --cores 2 -- results/table1.csv > snakemake.log 2>&1
expected=$(hashes)
say "local run: weights $expected"

"$slurm/start.sh" "$work/slurm" 2 > /dev/null
trap '"$slurm/stop.sh" "$work/slurm"' EXIT
for fault in "${faults[@]}"; do
    echo "== $fault"
    began=$SECONDS
    from=$work/prepared
    [[ $fault == none ]] && from=$work/new
    rm -rf "${work:?}/$fault"
    cp -a "$from" "$work/$fault"
    cd "$work/$fault"
    if [[ $fault == none ]]; then
        "${submit[@]}" results/table1.csv >> snakemake.log 2>&1
        cmp results/table1.csv "$work/local/results/table1.csv" && say "the same table 1"
    else
        "${submit[@]}" weights >> snakemake.log 2>&1 &
        main=$!
        until_trained
        strike "$fault"
        [[ $fault == terminated || $fault == killed ]] || until_ended
        wait $main || say "Snakemake ended with $?"
        [[ $fault == node_lost ]] && slurmd -N "$node"
        if [[ $fault == terminated || $fault == killed ]]; then
            "${submit[@]}" weights >> snakemake.log 2>&1
            grep -q "Nothing to be done" snakemake.log && say "another Snakemake: nothing to be done"
        fi
    fi
    say "$(cat .snakemake/log/*.log | grep -c 'has been submitted') jobs submitted; weights $(hashes)"
    [[ $(hashes) == "$expected" ]]
done
echo "all equal"
