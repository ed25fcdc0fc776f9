#!/usr/bin/env bash
# Usage: bench/instructions.sh [-b BINARY] [-n TLPS] [NAME...]
#
# Instructions a TLP, by callgrind: the difference between a run of TLPS (10000) and one of twice as
# many, so that building, warming up and draining cancel. Without names, all that the tables of
# docs/performance.md need, in two minutes. The figures do not depend on the load of the host. A
# stage is also given as what it takes more than the run that lacks it.
set -euo pipefail

root=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
binary=$root/build/release/bin/ioasim_bench
tlps=10000
names=()

while (($#)); do
  case $1 in
    -b) binary=$2; shift 2 ;;
    -n) tlps=$2; shift 2 ;;
    -*) sed -n '2,/^$/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
    *) names+=("$1"); shift ;;
  esac
done
if ((${#names[@]} == 0)); then
  names=(textbook/W0 clockwork/W0 textbook/W2 clockwork/W2 chain/write64 chain/W0 chain/W2
         stage/event stage/socket stage/dram stage/home stage/home_miss stage/iommu_off
         stage/iommu stage/port stage/link stage/endpoint)
fi

# The run that lacks the stage.
declare -A lacking=(
  [stage/socket]=stage/event [stage/dram]=stage/socket [stage/home]=stage/socket
  [stage/home_miss]=stage/socket [stage/iommu_off]=stage/home [stage/iommu]=stage/iommu_off
  [stage/port]=stage/iommu [stage/link]=stage/port [stage/endpoint]=stage/link)
declare -A found=()

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# instructions NAME TLPS: of one whole run.
instructions() {
  valgrind --quiet --tool=callgrind --callgrind-out-file="$folder/out" \
    "$binary" --measure "$1" --tlps "$2" >/dev/null
  sed -n 's/^\(summary\|totals\): //p' "$folder/out" | head -n 1
}

printf '%-16s %16s  %s\n' run 'instructions/TLP' 'more than'
for name in "${names[@]}"; do
  once=$(instructions "$name" "$tlps")
  twice=$(instructions "$name" $((2 * tlps)))
  found[$name]=$(((twice - once) / tlps))
  without=${lacking[$name]:-}
  more=
  if [[ -n $without && -n ${found[$without]:-} ]]; then
    more="$without by $((found[$name] - found[$without]))"
  fi
  printf '%-16s %16d  %s\n' "$name" "${found[$name]}" "$more"
done
