#!/bin/bash
# Train on several machines of a SLURM cluster: sbatch slurm.sh SUBJECT [options of `dance train`]
# SUBJECT must lie where all machines see it. A training that is interrupted goes on when it is submitted again.
#SBATCH --job-name=dance
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=8
#SBATCH --cpus-per-task=32
#SBATCH --time=12:00:00
#SBATCH --signal=TERM@120
#SBATCH --requeue

set -euo pipefail
first=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)

srun torchrun \
    --nnodes "$SLURM_JOB_NUM_NODES" --nproc-per-node 8 --max-restarts 3 \
    --rdzv-id "$SLURM_JOB_ID" --rdzv-backend c10d --rdzv-endpoint "$first:29500" \
    -m everybody_dance train "$@"
