// Runs CUDA kernels on the host: every thread of a block is a coroutine, and blocks follow one another.
//
// A coroutine runs until it waits for its block or its warp. ORDER = -1 starts the threads from the last one on, so
// that a missing barrier shows as a difference. A block in which all threads wait and none can go on ends the
// process with a message. What is read past the end of an array, and what a real device does to time, does not show.
//
// With TOGETHER the blocks of a grid are threads of the host, so that they can wait for one another.

#include <setjmp.h>
#include <sched.h>
#include <ucontext.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <type_traits>
#include <vector>

#ifdef TOGETHER
#define OWN static thread_local
#else
#define OWN static
#endif

#define __global__
#define __device__
#define __shared__ OWN
#define WAIT sched_yield()
#define __launch_bounds__(...)
#define __restrict__
#define __forceinline__ inline
#define __align__(n) alignas(n)

struct Dim3 {
    unsigned x, y, z;
};
OWN Dim3 gridDim, blockDim, blockIdx, threadIdx;

namespace host {
const int MOST = 1024, STACK = 1 << 16;
struct Barrier {
    int arrived, alive;
    long turn;
};
OWN Barrier whole, warps[MOST / 32];

struct Thread {
    ucontext_t context;  // only to begin with: jumps are fifty times as fast, since they leave signals alone
    jmp_buf point;
    bool begun, done;
    Barrier *at;  // what it waits for, until its turn is over
    long turn;
};
OWN Thread threads[MOST];
OWN char *stacks = nullptr;
OWN ucontext_t start;
OWN jmp_buf scheduler;
OWN int size, current, order;
OWN long progress;
OWN void (*body)();

inline void yield() {
    if (!_setjmp(threads[current].point)) _longjmp(scheduler, 1);
}

inline void release(Barrier &b) {
    if (b.arrived && b.arrived == b.alive) {
        b.arrived = 0;
        b.turn++;
        progress++;
    }
}
inline void wait(Barrier &b) {
    long turn = b.turn;
    b.arrived++;
    release(b);
    threads[current].at = &b;
    threads[current].turn = turn;
    if (b.turn == turn) yield();
    threadIdx.x = current;
}
inline void trampoline() {
    for (;;) {  // the next block finds the thread where this one leaves it
        body();
        Barrier &warp = warps[current / 32];
        threads[current].done = true;
        progress++;
        whole.alive--;
        warp.alive--;
        release(whole);
        release(warp);
        yield();
    }
}
inline void resume(Thread &thread) {
    if (_setjmp(scheduler)) return;
    if (thread.begun) _longjmp(thread.point, 1);
    thread.begun = true;
    swapcontext(&start, &thread.context);
}
inline void block() {
    whole = {0, size, 0};
    for (int w = 0; w < MOST / 32; w++) {
        int rest = size - 32 * w;
        warps[w] = {0, rest < 0 ? 0 : rest < 32 ? rest : 32, 0};
    }
    if (!stacks) stacks = (char *)malloc((size_t)MOST * STACK);
    for (int t = 0; t < size; t++) {
        threads[t].done = false;
        threads[t].at = nullptr;
        if (threads[t].begun) continue;
        getcontext(&threads[t].context);
        threads[t].context.uc_stack.ss_sp = stacks + (size_t)t * STACK;
        threads[t].context.uc_stack.ss_size = STACK;
        threads[t].context.uc_link = nullptr;
        makecontext(&threads[t].context, trampoline, 0);
    }
    for (int left = size; left > 0;) {
        long before = progress;
        left = 0;
        for (int k = 0; k < size; k++) {
            current = order > 0 ? k : size - 1 - k;
            Thread &thread = threads[current];
            if (thread.done) continue;
            if (thread.at && thread.at->turn == thread.turn) {
                left++;
                continue;
            }
            threadIdx.x = current;
            resume(thread);
            left += !thread.done;
        }
        if (left && progress == before) {
            fprintf(stderr, "shim: %d of %d threads wait for others that never come\n", left, size);
            abort();
        }
    }
}
OWN unsigned long long lanes[MOST];
template <class T> T exchange(T value, int from) {
    int me = current, warp = me / 32 * 32;
    static_assert(sizeof(T) <= 8, "wide");
    memcpy(&lanes[me], &value, sizeof(T));
    wait(warps[me / 32]);
    T out = value;
    int other = warp + from;
    if (from >= 0 && from < 32 && other < size) memcpy(&out, &lanes[other], sizeof(T));
    wait(warps[me / 32]);
    return out;
}
}  // namespace host

inline void __syncthreads() { host::wait(host::whole); }
inline void __syncwarp(unsigned = 0xffffffffu) { host::wait(host::warps[host::current / 32]); }
template <class T> T __shfl_sync(unsigned, T v, int lane) { return host::exchange(v, lane % 32); }
template <class T> T __shfl_down_sync(unsigned, T v, int step) { return host::exchange(v, host::current % 32 + step); }
template <class T> T __shfl_up_sync(unsigned, T v, int step) { return host::exchange(v, host::current % 32 - step); }
template <class T> T __shfl_xor_sync(unsigned, T v, int mask) { return host::exchange(v, (host::current % 32) ^ mask); }
inline unsigned __ballot_sync(unsigned, int test) {
    int me = host::current, warp = me / 32 * 32;
    host::lanes[me] = test != 0;
    host::wait(host::warps[me / 32]);
    unsigned mask = 0;
    for (int k = 0; k < 32 && warp + k < host::size; k++) mask |= (unsigned)host::lanes[warp + k] << k;
    host::wait(host::warps[me / 32]);
    return mask;
}
inline void __threadfence() {}
template <class T> T atomicAdd(T *x, T more) { return __atomic_fetch_add(x, more, __ATOMIC_SEQ_CST); }
template <class T> T __ldcs(const T *x) { return *x; }
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline float __uint_as_float(unsigned x) {
    float out;
    memcpy(&out, &x, sizeof out);
    return out;
}
inline unsigned __float_as_uint(float x) {
    unsigned out;
    memcpy(&out, &x, sizeof out);
    return out;
}
inline int __ffs(int x) { return __builtin_ffs(x); }
inline double __longlong_as_double(long long x) {
    double out;
    memcpy(&out, &x, sizeof out);
    return out;
}
inline double fma_rn(double a, double b, double c) { return std::fma(a, b, c); }
struct alignas(16) float4 {
    float x, y, z, w;
};
template <class T> void __stcs(T *x, T value) { memcpy(x, &value, sizeof(T)); }
using std::isfinite;
using std::isnan;

// Calls a kernel with arguments that `arguments` points at, one after the other, for every block of a grid.
template <class... A> struct Caller {
    static void (*kernel)(A...);
    static void **arguments;
    template <size_t... I> static void call(std::integer_sequence<size_t, I...>) {
        kernel(*(std::remove_reference_t<A> *)arguments[I]...);
    }
    static void once() { call(std::index_sequence_for<A...>{}); }
};
template <class... A> void (*Caller<A...>::kernel)(A...);
template <class... A> void **Caller<A...>::arguments;

template <class... A>
void run(void (*kernel)(A...), unsigned gx, unsigned gy, unsigned threads, int order, void **arguments) {
    Caller<A...>::kernel = kernel;
    Caller<A...>::arguments = arguments;
    auto one = [=](unsigned x, unsigned y) {
        host::body = Caller<A...>::once;
        host::size = (int)threads;
        host::order = order;
        gridDim = {gx, gy, 1};
        blockDim = {threads, 1, 1};
        blockIdx = {x, y, 0};
        host::block();
    };
#ifdef TOGETHER
    std::vector<std::thread> blocks;
    for (unsigned x = 0; x < gx; x++)
        blocks.emplace_back([=] {
            one(x, 0);
            free(host::stacks);
        });
    for (auto &block : blocks) block.join();
#else
    for (unsigned y = 0; y < gy; y++)
        for (unsigned x = 0; x < gx; x++) one(x, y);
#endif
}
