// CUDA C++ as ordinary C++: one std::thread for each thread of a block, one block after the other.
// Included before a kernel's source.
#include <algorithm>
#include <barrier>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <thread>
#include <utility>
#include <vector>

#define __global__
#define __device__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __restrict__
#define shared_memory (static_cast<Pack*>(block_memory))

using std::max;
using std::min;
using std::sqrt;

struct alignas(16) float4 {
    float x, y, z, w;
};
template <class T>
T __ldg(const T* address)
{
    return *address;
}

struct Index {
    unsigned x;
};
static thread_local Index threadIdx, blockIdx;
static thread_local int meetings;  // barriers that this thread has met in this block
static Index blockDim, gridDim;
static void* block_memory;
static std::barrier<>* meeting;
static int skipped = -1;  // a barrier that is left out: a planted bug

inline void __syncthreads()
{
    if (meetings++ != skipped)
        meeting->arrive_and_wait();
}

// Runs a kernel on arguments as the CUDA driver takes them. Shared memory is a heap block of exactly
// the size asked for and holds NaN.
template <class... A>
void launch(void (*kernel)(A...), void** args, unsigned grid, unsigned block, size_t bytes)
{
    auto call = [&]<size_t... I>(std::index_sequence<I...>) { kernel(*static_cast<A*>(args[I])...); };
    constexpr std::align_val_t alignment{16};
    std::barrier<> all(block);
    meeting = &all, gridDim.x = grid, blockDim.x = block;
    auto run = [&](unsigned thread) {
        threadIdx.x = thread;
        for (unsigned i = 0; i < grid; i++) {
            if (thread == 0)
                block_memory = std::memset(operator new(bytes, alignment), 0xff, bytes);
            all.arrive_and_wait();
            blockIdx.x = i, meetings = 0;
            call(std::index_sequence_for<A...>());
            all.arrive_and_wait();
            if (thread == 0)
                operator delete(block_memory, alignment);
        }
    };
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < block; t++)
        threads.emplace_back(run, t);
    for (auto& thread : threads)
        thread.join();
}
