// CUDA C++ as ordinary C++, one block after the other. Included before a kernel's source.
//
// For sanitizers (PROGRAM) each thread of a block is a std::thread; else they take turns, each from
// one barrier to the next, which costs much less.
#include <algorithm>
#include <barrier>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <functional>
#include <thread>
#include <ucontext.h>
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
static Index blockDim, gridDim;
static unsigned first_block;  // those before it are left out
static void* block_memory;

// A kernel with arguments as the CUDA driver takes them.
template <class... A>
auto bound(void (*kernel)(A...), void** args)
{
    return [=] {
        auto call = [=]<size_t... I>(std::index_sequence<I...>) { kernel(*static_cast<A*>(args[I])...); };
        call(std::index_sequence_for<A...>());
    };
}

// Shared memory is a heap block of exactly the size asked for and holds NaN.
constexpr std::align_val_t ALIGNMENT{16};
inline void begin_block(size_t bytes) { block_memory = std::memset(operator new(bytes, ALIGNMENT), 0xff, bytes); }
inline void end_block() { operator delete(block_memory, ALIGNMENT); }

#ifdef PROGRAM
static thread_local int meetings;  // barriers that this thread has met in this block
static std::barrier<>* meeting;
static int skipped = -1;  // a barrier that is left out: a planted bug

inline void __syncthreads()
{
    if (meetings++ != skipped)
        meeting->arrive_and_wait();
}

template <class... A>
void launch(void (*kernel)(A...), void** args, unsigned grid, unsigned block, size_t bytes)
{
    auto call = bound(kernel, args);
    std::barrier<> all(block);
    meeting = &all, gridDim.x = grid, blockDim.x = block;
    auto run = [&](unsigned thread) {
        threadIdx.x = thread;
        for (unsigned i = first_block; i < grid; i++) {
            if (thread == 0)
                begin_block(bytes);
            all.arrive_and_wait();
            blockIdx.x = i, meetings = 0;
            call();
            all.arrive_and_wait();
            if (thread == 0)
                end_block();
        }
    };
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < block; t++)
        threads.emplace_back(run, t);
    for (auto& thread : threads)
        thread.join();
}
#else
constexpr size_t STACK = 1 << 17;
static ucontext_t scheduler, *running;
static std::function<void()> body;
static bool ended;

inline void __syncthreads() { swapcontext(running, &scheduler); }
inline void run_body() { body(), ended = true; }

template <class... A>
void launch(void (*kernel)(A...), void** args, unsigned grid, unsigned block, size_t bytes)
{
    body = bound(kernel, args);
    gridDim.x = grid, blockDim.x = block;
    std::vector<char> stacks(block * STACK);
    for (unsigned i = first_block; i < grid; i++) {
        begin_block(bytes);
        blockIdx.x = i;
        std::vector<ucontext_t> threads(block);
        for (unsigned t = 0; t < block; t++) {
            getcontext(&threads[t]);
            threads[t].uc_stack.ss_sp = &stacks[t * STACK];
            threads[t].uc_stack.ss_size = STACK;
            threads[t].uc_link = &scheduler;
            makecontext(&threads[t], run_body, 0);
        }
        std::vector<char> over(block);
        for (unsigned left = block; left > 0;)
            for (unsigned t = 0; t < block; t++)
                if (!over[t]) {
                    threadIdx.x = t, running = &threads[t], ended = false;
                    swapcontext(&scheduler, running);
                    over[t] = ended, left -= ended;
                }
        end_block();
    }
}
#endif
