#!/usr/bin/env bash
# Compares two commits: `benches/compare.sh OLD [NEW] [PAIRS]`. NEW is the present commit by default.
#
# Both are built in folders of their own, with the scenarios of this checkout, and run in turns, so
# that a busy machine slows both. For each scenario it prints the median of each, in nanoseconds for
# one operation, and the median and the range of the ratios of the pairs.
set -euo pipefail
root="$(cd "$(dirname "$0")/.." && pwd)"
old="$1"
new="${2:-HEAD}"
pairs="${3:-7}"

work="$(mktemp -d)"
finish() {
  for side in old new; do git -C "$root" worktree remove --force "$work/$side" 2>/dev/null || true; done
  rm -rf "$work"
}
trap finish EXIT

build() { # SIDE COMMIT
  git -C "$root" worktree add --quiet --detach "$work/$1" "$2"
  local benches="$work/$1/benches"
  cp "$root/benches/"{scenarios,no_task_is_lost,rounds}.rs "$benches/"
  grep -q '^name = "scenarios"' "$benches/Cargo.toml" ||
    printf '\n[[bench]]\nname = "scenarios"\npath = "scenarios.rs"\nharness = false\n' >>"$benches/Cargo.toml"
  (cd "$work/$1" && CARGO_TARGET_DIR="$work/target-$1" \
    cargo bench --quiet -p stunt-double-benches --bench scenarios --no-run)
  find "$work/target-$1/release/deps" -name 'scenarios-*' -type f -perm -u+x | head -n 1 >"$work/$1.path"
}
build old "$old"
build new "$new"

for _ in $(seq "$pairs"); do
  "$(cat "$work/old.path")" | sed 's/^/old /' >>"$work/times"
  "$(cat "$work/new.path")" | sed 's/^/new /' >>"$work/times"
done

printf '%-22s %10s %10s %8s   %s\n' scenario "$old" "$new" ratio range
awk '{ print $2 }' "$work/times" | awk '!seen[$0]++' | while read -r scenario; do
  times() { awk -v side="$1" -v name="$scenario" '$1 == side && $2 == name { print $3 }' "$work/times"; }
  median() { sort -g | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
  paste <(times old) <(times new) | awk '{ print $2 / $1 }' | sort -g >"$work/ratios"
  printf '%-22s %10.1f %10.1f %8.2f   %.2f to %.2f\n' "$scenario" "$(times old | median)" \
    "$(times new | median)" "$(median <"$work/ratios")" "$(head -n 1 "$work/ratios")" "$(tail -n 1 "$work/ratios")"
done
