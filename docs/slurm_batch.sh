#!/bin/bash
# Dance a batch on many machines of a SLURM cluster: sbatch slurm_batch.sh JOBS.csv [options of `dance batch`]
# Each task of the array dances every 8th row and keeps a record of its own (batch.K-of-8.json beside the table). All
# files must lie where all machines see them. What is interrupted goes on when it is submitted again.
#SBATCH --job-name=dance-batch
#SBATCH --array=1-8
#SBATCH --gpus-per-task=1
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=8
#SBATCH --time=12:00:00
#SBATCH --signal=TERM@60
#SBATCH --requeue

set -euo pipefail
srun python -m everybody_dance batch "$@" --part "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT"
