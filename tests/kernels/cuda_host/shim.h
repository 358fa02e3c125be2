// Runs CUDA kernels on the host: every thread of a block is a coroutine, and blocks follow one another.
//
// A coroutine runs until it waits for its block or its warp. ORDER = -1 starts the threads from the last one on, so
// that a missing barrier shows as a difference. A block in which all threads wait and none can go on ends the
// process with a message. What is read past the end of an array, and what a real device does to time, does not show.
//
// With TOGETHER the blocks of a grid are threads of the host, so that they can wait for one another.
//
// The blocks of a cluster (macro CLUSTER) run together; their shared memory is what `shared_room` gives, not what is
// declared. What is sent to shared memory gets there no sooner than it is waited for.

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
#define __constant__ static const
#define __launch_bounds__(...)
#define __cluster_dims__(...)
#define __restrict__
#define __forceinline__ inline
#define __align__(bytes) __attribute__((aligned(bytes)))

#ifndef CLUSTER
#define CLUSTER 1
#endif

struct Dim3 {
    unsigned x, y, z;
};
OWN Dim3 gridDim, blockDim, blockIdx, threadIdx;

namespace host {
const int MOST = 1024 * CLUSTER, STACK = 1 << 16;
struct Barrier {
    int arrived, alive;
    long turn;
};
OWN Barrier cluster, whole[CLUSTER], warps[MOST / 32];

struct Copy {
    char *to;
    const char *from;
    size_t size;
};

struct Thread {
    ucontext_t context;  // only to begin with: jumps are fifty times as fast, since they leave signals alone
    jmp_buf point;
    bool begun, done;
    Barrier *at;  // what it waits for, until its turn is over
    long turn;
    std::vector<Copy> open;  // sent since the last group
    std::vector<std::vector<Copy>> groups;
};
OWN Thread threads[MOST];
OWN char *stacks = nullptr;
OWN ucontext_t start;
OWN jmp_buf scheduler;
OWN int size, current, order;
OWN int first, together;   // a cluster's first block, and how many it has
OWN char *rooms[CLUSTER];  // their shared memory
OWN long progress;
OWN void (*body)();

inline void yield() {
    if (!_setjmp(threads[current].point)) _longjmp(scheduler, 1);
}

inline void place() {
    threadIdx.x = current % size;
    blockIdx.x = first + current / size;
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
    place();
}
inline void trampoline() {
    for (;;) {  // the next block finds the thread where this one leaves it
        body();
        Barrier &warp = warps[current / 32];
        threads[current].done = true;
        progress++;
        Barrier &all = whole[current / size];
        cluster.alive--;
        all.alive--;
        warp.alive--;
        release(cluster);
        release(all);
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
inline void blocks() {
    int count = size * together;
    cluster = {0, count, 0};
    for (Barrier &b : whole) b = {0, size, 0};
    for (int w = 0; w < MOST / 32; w++) {
        int rest = count - 32 * w;
        warps[w] = {0, rest < 0 ? 0 : rest < 32 ? rest : 32, 0};
    }
    if (!stacks) stacks = (char *)malloc((size_t)MOST * STACK);
    for (int t = 0; t < count; t++) {
        threads[t].done = false;
        threads[t].at = nullptr;
        threads[t].open.clear();
        threads[t].groups.clear();
        if (threads[t].begun) continue;
        getcontext(&threads[t].context);
        threads[t].context.uc_stack.ss_sp = stacks + (size_t)t * STACK;
        threads[t].context.uc_stack.ss_size = STACK;
        threads[t].context.uc_link = nullptr;
        makecontext(&threads[t].context, trampoline, 0);
    }
    for (int left = count; left > 0;) {
        long before = progress;
        left = 0;
        for (int k = 0; k < count; k++) {
            current = order > 0 ? k : count - 1 - k;
            Thread &thread = threads[current];
            if (thread.done) continue;
            if (thread.at && thread.at->turn == thread.turn) {
                left++;
                continue;
            }
            place();
            resume(thread);
            left += !thread.done;
        }
        if (left && progress == before) {
            fprintf(stderr, "shim: %d of %d threads wait for others that never come\n", left, count);
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
    if (from >= 0 && from < 32 && other < size * together) memcpy(&out, &lanes[other], sizeof(T));
    wait(warps[me / 32]);
    return out;
}
}  // namespace host

inline void __syncthreads() { host::wait(host::whole[host::current / host::size]); }
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
    for (int k = 0; k < 32 && warp + k < host::size * host::together; k++) mask |= (unsigned)host::lanes[warp + k] << k;
    host::wait(host::warps[me / 32]);
    return mask;
}
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline void __threadfence() {}
template <class T> T atomicAdd(T *x, T more) { return __atomic_fetch_add(x, more, __ATOMIC_SEQ_CST); }
template <class T> T __ldcs(const T *x) { return *x; }
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
struct alignas(16) float4 {
    float x, y, z, w;
};
template <class T> void __stcs(T *x, T value) { memcpy(x, &value, sizeof(T)); }
inline long long __double_as_longlong(double x) {
    long long out;
    memcpy(&out, &x, sizeof out);
    return out;
}
inline int __double2hiint(double x) { return (int)(__double_as_longlong(x) >> 32); }
inline int __double2loint(double x) { return (int)__double_as_longlong(x); }
inline double __hiloint2double(int high, int low) {
    return __longlong_as_double((long long)((unsigned long long)(unsigned)high << 32 | (unsigned)low));
}
inline float __int_as_float(int x) {
    float out;
    memcpy(&out, &x, sizeof out);
    return out;
}
inline int __float_as_int(float x) {
    int out;
    memcpy(&out, &x, sizeof out);
    return out;
}
inline double *shared_room() { return (double *)host::rooms[host::current / host::size]; }
template <class T> void send(T *to, const T *from) {
    host::threads[host::current].open.push_back({(char *)to, (const char *)from, sizeof(T)});
}
inline void sent() {
    host::Thread &me = host::threads[host::current];
    me.groups.push_back(me.open);
    me.open.clear();
}
template <int LATER> void arrived() {
    auto &groups = host::threads[host::current].groups;
    for (; (int)groups.size() > LATER; groups.erase(groups.begin()))
        for (host::Copy &c : groups[0]) memcpy(c.to, c.from, c.size);
}
OWN const double *factors[host::MOST][2];
inline void multiply(double *c, const double *a, const double *b) {  // of a warp, as in ot_products.cu
    int me = host::current, warp = me / 32 * 32, lane = me % 32;
    factors[me][0] = a;
    factors[me][1] = b;
    host::wait(host::warps[me / 32]);
    for (int e = 0; e < 4; e++)
        for (int i = 0; i < 4; i++)
            for (int q = 0; q < 4; q++)
                c[q] += factors[warp + lane / 4 * 4 + e][0][2 * i + q / 2] *
                        factors[warp + lane % 4 * 8 + q % 2 * 4 + e][1][i];
    host::wait(host::warps[me / 32]);
}
inline void prepare(long long *) {}
inline void expect(long long *, int) {}
inline void put(double *at, long long *, int block, double x) {
    char *mine = (char *)shared_room();
    *(double *)(host::rooms[block] + ((char *)at - mine)) = x;
}
inline void await(long long *, int) { host::wait(host::cluster); }
inline void meet() { host::wait(host::cluster); }
inline double fma_rn(double a, double b, double c) { return std::fma(a, b, c); }
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
void run(void (*kernel)(A...), unsigned gx, unsigned gy, unsigned threads, int order, size_t room, void **arguments) {
    Caller<A...>::kernel = kernel;
    Caller<A...>::arguments = arguments;
    auto cluster = [=](unsigned x, unsigned y) {
        const int guard = 64;
        host::body = Caller<A...>::once;
        host::size = (int)threads;
        host::order = order;
        host::together = room ? CLUSTER : 1;  // a kernel that is no cluster's may stand beside one that is
        host::first = x;
        gridDim = {gx, gy, 1};
        blockDim = {threads, 1, 1};
        blockIdx = {x, y, 0};
        for (int b = 0; b < host::together; b++) {
            host::rooms[b] = (char *)realloc(host::rooms[b], room + guard);
            memset(host::rooms[b], 0xff, room + guard);  // NaN
        }
        host::blocks();
        for (int b = 0; b < host::together; b++)
            for (int k = 0; k < guard; k++)
                if (host::rooms[b][room + k] != (char)0xff) {
                    fprintf(stderr, "shim: block %u wrote behind its shared memory\n", x + b);
                    abort();
                }
    };
#ifdef TOGETHER
    std::vector<std::thread> blocks;
    for (unsigned x = 0; x < gx; x++)
        blocks.emplace_back([=] {
            cluster(x, 0);
            free(host::stacks);
            free(host::rooms[0]);
        });
    for (auto &block : blocks) block.join();
#else
    for (unsigned y = 0; y < gy; y++)
        for (unsigned x = 0; x < gx; x += room ? CLUSTER : 1) cluster(x, y);
#endif
}
