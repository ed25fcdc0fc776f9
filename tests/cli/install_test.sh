#!/usr/bin/env bash
# A project outside the tree finds an installed ioasim, compiles every header and links every
# module.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cmake --install "$IOASIM_BUILD_DIR" --prefix "$work/prefix" >/dev/null

mkdir "$work/consumer"
cat >"$work/consumer/CMakeLists.txt" <<'END'
cmake_minimum_required(VERSION 3.25)
project(consumer LANGUAGES CXX)
find_package(ioasim 0.1 REQUIRED)
add_executable(consumer main.cpp)
foreach(module IN LISTS ioasim_MODULES)
  target_link_libraries(consumer PRIVATE ioasim::${module})
endforeach()
END
headers=$work/prefix/include/ioasim
{
  [[ ! -d $headers ]] || (cd "$headers" && find . -name '*.hpp' | sort) |
    sed 's|^\./\(.*\)|#include "\1"|'
  echo 'int main() {}'
} >"$work/consumer/main.cpp"

cmake -G Ninja -S "$work/consumer" -B "$work/build" -DCMAKE_PREFIX_PATH="$work/prefix" >/dev/null
cmake --build "$work/build"
"$work/build/consumer"

if [[ -n ${IOASIM:-} ]]; then
  "$work/prefix/bin/ioasim" --help >/dev/null
fi
