#!/bin/sh
# Builds Triton's C++ ONNX Runtime backend for the server of the nvidia-pytriton wheel, which brings none, and lays out a
# server with it:
#
#     lab/cpp_backend/build.sh SOURCES ONNXRUNTIME_INCLUDE ONNXRUNTIME_LIBRARY TARGET [CUDA_INCLUDE...]
#     PATH=TARGET/bin:$PATH python -m pytest tests/server
#
# SOURCES: a folder with checkouts of Triton's repositories onnxruntime_backend, backend, core and common, branch r24.10.
# ONNXRUNTIME_INCLUDE: with onnxruntime_c_api.h, of the library's version or an older one. ONNXRUNTIME_LIBRARY:
# libonnxruntime.so.* out of a wheel (onnxruntime, onnxruntime-gpu). CUDA_INCLUDE: of CUDA 12, for a backend that uses GPUs; the
# folders of the wheels nvidia-cuda-runtime-cu12 and nvidia-cuda-nvcc-cu12 do. Needs g++ and rapidjson-dev, and the
# environment whose python is on PATH: `make .venv/server`.
set -eu
[ $# -ge 4 ] || { echo "expected SOURCES ONNXRUNTIME_INCLUDE ONNXRUNTIME_LIBRARY TARGET, got: $*" >&2; exit 2; }
sources=$(realpath "$1") include=$(realpath "$2") library=$(realpath "$3") target=$4
shift 4
here=$(dirname "$(realpath "$0")")
[ ! -e "$target" ] || { echo "$target: expected a folder that does not exist yet" >&2; exit 2; }
mkdir -p "$target"
target=$(realpath "$target")
site=$(python -c 'import sysconfig; print(sysconfig.get_path("platlib"))')
wheel=$site/pytriton/tritonserver
libraries=$site/nvidia_pytriton.libs
[ -d "$wheel" ] || { echo "$wheel: not found; make .venv/server" >&2; exit 2; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
backend=$sources/onnxruntime_backend/src
files="$backend/onnxruntime.cc $backend/onnxruntime_loader.cc $backend/onnxruntime_utils.cc"
for name in common input_collector memory model model_instance output_responder; do
    files="$files $sources/backend/src/backend_$name.cc"
done
files="$files $sources/common/src/error.cc $sources/common/src/async_work_queue.cc $sources/common/src/thread_pool.cc"
flags="-std=c++17 -O2 -fPIC -w -DTRITON_ENABLE_STATS=1 -DTRITON_ENABLE_LOGGING=1 -I$backend -I$include"
for name in backend common core; do flags="$flags -I$sources/$name/include"; done
flags="$flags -I$sources/backend/src"
cudart=
if [ $# -gt 0 ]; then
    for folder in "$@"; do flags="$flags -I$(realpath "$folder")"; done
    flags="$flags -DTRITON_ENABLE_GPU=1"
    files="$files $here/gather_kernel.cc"
    cudart=$(ls "$libraries"/libcudart-*.so.*)
fi
for file in $files; do
    echo "$file" "$work/$(basename "$file").o"
done | xargs -P "$(nproc)" -L 1 sh -c "g++ $flags -c \"\$0\" -o \"\$1\""

onnxruntime=$target/backends/onnxruntime
mkdir -p "$target/bin" "$target/backends/python" "$onnxruntime"
cp "$library" "$onnxruntime/libonnxruntime.so.1" # the name that it goes by
ln -s libonnxruntime.so.1 "$onnxruntime/libonnxruntime.so"
# shellcheck disable=SC2086
g++ -shared -o "$onnxruntime/libtriton_onnxruntime.so" "$work"/*.o \
    -Wl,--version-script="$backend/libtriton_onnxruntime.ldscript" \
    "$onnxruntime/libonnxruntime.so.1" $cudart -Wl,-rpath,'$ORIGIN' -Wl,-z,origin
cp "$wheel/bin/tritonserver" "$target/bin/"
ln -s "$libraries" "$target/lib"
cp -R "$wheel/backends/python/." "$target/backends/python/"
version=$(python -c 'import sys; print(f"{sys.version_info.major}.{sys.version_info.minor}")')
cp "$wheel/python_backend_stubs/$version"/* "$target/backends/python/"
echo "built: PATH=$target/bin:\$PATH"
