#!/bin/bash
# Fuzzes: each target for a fixed time, with clang, libFuzzer, ASan and UBSan.
#     fuzz/run.sh SECONDS [TARGET...]        e.g. fuzz/run.sh 60 fuzz_message
# What is found lies in build-fuzz/found/<target>/; new inputs grow in build-fuzz/corpus/, apart from the seeds.
# Exit 0: nothing found. Prints one line a target and one of totals.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:?usage: fuzz/run.sh SECONDS [TARGET...]}
shift
build=build-fuzz
if [ ! -f $build/build.ninja ]; then
  CC=${CC:-clang} meson setup $build -Dfuzzers=true -Db_sanitize=address,undefined -Db_lundef=false \
    -Doptimization=1 >/dev/null
fi
targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
  mapfile -t targets < <(basename -a fuzz/corpus/*)
fi
ninja -C $build "${targets[@]/#/fuzz/}" >$build/fuzz-build.log || { cat $build/fuzz-build.log; exit 1; }

total_runs=0 failed=0
for target in "${targets[@]}"; do
  mkdir -p "$build/corpus/$target" "$build/found/$target"
  log="$build/found/$target/log"
  status=0
  UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 "$build/fuzz/$target" -max_total_time="$seconds" \
    -rss_limit_mb=1024 -timeout=20 -print_final_stats=1 -verbosity=1 -artifact_prefix="$build/found/$target/" \
    "$build/corpus/$target" "fuzz/corpus/$target" >"$log" 2>&1 || status=$?
  runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
  runs=${runs:-0}
  total_runs=$((total_runs + runs))
  if [ $status -eq 0 ]; then
    echo "$target: $runs runs, ok"
  else
    failed=$((failed + 1))
    echo "$target: $runs runs, FAILED, see $log"
    grep -E '^(==[0-9]+==ERROR|SUMMARY|.*does not hold|.*runtime error)' "$log" | head -5 || true
  fi
done
echo "total: ${#targets[@]} targets, $total_runs runs, $failed failed"
[ $failed -eq 0 ]
