#!/bin/bash
#SBATCH --array=1-8
#SBATCH --cpus-per-task=4
#SBATCH --time=1:00:00
# Score in a job array, each job a part of the micrographs, then put the parts together:
#     id=$(sbatch --parsable cluster_array.sh score)
#     sbatch --dependency=afterok:$id --array=1 cluster_array.sh decide --precision 0.95
# A job that was killed is submitted again (sbatch --array=3 ...), and goes on where it stopped.
set -eu
MICROGRAPHS=${MICROGRAPHS:-MotionCorr/job002}
PICKS=${PICKS:-AutoPick/job006/autopick.star}
MODEL=${MODEL:-model.safetensors}
OUTPUT=${OUTPUT:-Pruned/job006}
PARTS=${PARTS:-8} # as many as the array has jobs
what=$1
shift
if [ "$what" = score ]; then
    pickeroptimizer score --micrographs "$MICROGRAPHS" --picks "$PICKS" --model "$MODEL" \
        --output "$OUTPUT" --shard "$SLURM_ARRAY_TASK_ID/$PARTS" "$@"
else
    pickeroptimizer decide --output "$OUTPUT" "$@"
fi
