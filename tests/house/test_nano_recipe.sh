#!/bin/bash
# The first three steps that made models/r1-nano-base, from the generators of its corpus on, to the last bit. All 200:
# recipes/nano/check_first_steps.sh.   arguments: SOURCE_DIR BUILD_DIR R1
set -uo pipefail
data=${R1_SHARED:-$1/../shared}/data
[ -d "$data/gsm8k" ] || { echo "skipped: no data sets in $data"; exit 77; }
command -v python3 >/dev/null || { echo 'skipped: no python3 for the generators'; exit 77; }
PYTHONDONTWRITEBYTECODE=1 R1=$3 sh "$1/recipes/nano/check_first_steps.sh" --steps 3 "$data"
