// What stands before the source of every kernel: real or complex numbers, and loads of 16 bytes.
//
// Macros: REAL (float or double), PARTS (2 for complex numbers, else 1).

#if PARTS == 1
typedef REAL Number;
__device__ __forceinline__ Number zero() { return 0; }
__device__ __forceinline__ Number conj(Number x) { return x; }
__device__ __forceinline__ Number scaled(REAL s, Number x) { return s * x; }
__device__ __forceinline__ Number sum(Number x, Number y) { return x + y; }
__device__ __forceinline__ Number difference(Number x, Number y) { return x - y; }
__device__ __forceinline__ REAL abs2(Number x) { return x * x; }
__device__ __forceinline__ bool is_zero(Number x) { return x == 0; }
__device__ __forceinline__ void add_product(Number& sum, Number x, Number y) { sum += x * y; }
#else
struct alignas(2 * sizeof(REAL)) Number {
    REAL re, im;
};
__device__ __forceinline__ Number zero() { return {0, 0}; }
__device__ __forceinline__ Number conj(Number x) { return {x.re, -x.im}; }
__device__ __forceinline__ Number scaled(REAL s, Number x) { return {s * x.re, s * x.im}; }
__device__ __forceinline__ Number sum(Number x, Number y) { return {x.re + y.re, x.im + y.im}; }
__device__ __forceinline__ Number difference(Number x, Number y)
{
    return {x.re - y.re, x.im - y.im};
}
__device__ __forceinline__ REAL abs2(Number x) { return x.re * x.re + x.im * x.im; }
__device__ __forceinline__ bool is_zero(Number x) { return x.re == 0 && x.im == 0; }
__device__ __forceinline__ void add_product(Number& sum, Number x, Number y)
{
    sum.re += x.re * y.re;
    sum.re -= x.im * y.im;
    sum.im += x.re * y.im;
    sum.im += x.im * y.re;
}
#endif

constexpr int WIDE = 16 / sizeof(Number);  // entries of the widest load

struct alignas(16) Pack {
    Number entry[WIDE];
};

#ifdef __CUDACC__
extern __shared__ Pack shared_memory[];
#endif

// COUNT neighbours, 16 bytes at a time, from an address that is a multiple of as many.
template <int COUNT>
__device__ __forceinline__ void load(Number* to, const Number* from)
{
    static_assert(COUNT % WIDE == 0, "whole packs");
#pragma unroll
    for (int n = 0; n < COUNT; n += WIDE) {
        union {
            float4 whole;
            Pack pack;
        } read = {__ldg(reinterpret_cast<const float4*>(from + n))};  // never taken apart
#pragma unroll
        for (int e = 0; e < WIDE; e++)
            to[n + e] = read.pack.entry[e];
    }
}
