// Stands in for the gather kernel of Triton's backend library, which only nvcc compiles. It is used by models whose
// configuration has a gather_kernel_buffer_threshold; none of ours has.
#include "kernel.h"

cudaError_t
RunGatherKernel(
    const int8_t**, const size_t*, const size_t*, int8_t*, size_t, cudaStream_t)
{
  return cudaErrorNotSupported;
}
