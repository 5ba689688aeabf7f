#!/bin/bash
# Makes the committed seed corpora anew, with the encoders of the build in BUILD_DIRECTORY.
#     fuzz/seeds.sh [BUILD_DIRECTORY]
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:-build}
ninja -C "$build" fuzz/make_seeds
mkdir -p fuzz/corpus
"$build/fuzz/make_seeds" fuzz/corpus
fuzz/make_scripts.py fuzz/corpus
du -sh fuzz/corpus/*
