#!/bin/bash
# Prune in a RELION project as its External job does, in a script: of a scheme, or of a queue.
#     relion_external_job.sh MICROGRAPHS.star COORDINATES.star MODEL JOB_FOLDER [OPTIONS]
# Run it in the project folder. OPTIONS are those of `pickeroptimizer prune`.
set -eu
micrographs=$1 coordinates=$2 model=$3 job=$4
shift 4
mkdir -p "$job"
pickeroptimizer relion --o "$job" --in_mics "$micrographs" --in_coords "$coordinates" \
    --model "$model" "$@"
echo "Particle extraction, Input coordinates: ${job%/}/autopick.star"
