// The product of a chain of Kronecker-sparse factors and the rows of X, in one pass.
//
// A thread block takes a tile of `samples` rows through all factors. The tile lies in shared memory,
// one row after the other. Squares of a side in SIDES are multiplied in place, their arguments in
// registers; other blocks (GENERAL) go from one half of the memory to the other.
//
// Global memory, 16 bytes at a time where addresses allow it: X is read once and Y written once (and
// read once, if the product is added to it), and with them their indices, if any, once per tile. The values of squares in place are read by each team
// of threads that shares the samples of a tile: once per tile where a factor has as many blocks as
// there are threads, else up to THREADS / blocks times; those of other blocks for each 4 samples.
//
// Shared memory: written and read once per factor, other blocks reading their arguments for each 4
// rows, and once more to copy X in and Y out. The first factor reads X itself and the last one writes
// Y where the program says so (direct_in, direct_out), which saves that copy.
// Every sum is formed in a fixed order: the same bits in every run, batch and tile.
//
// Macros beside those of number.cu, which stands before this: SIDES (bit r for squares of side r),
// GENERAL (0 or 1), IN_FLIGHT (samples that a thread works on at once), THREADS (of a block, at
// most), RESIDENT (blocks that share a multiprocessor, at least: it limits the registers).

// A factor (a, b, c, d): `blocks` = a * d; `from` and `to` are halves of the tile, the same one for
// squares that are multiplied in place; its values begin at `values`, counted in packs.
struct Stage {
    int blocks, b, c, d, from, to, values;
};

struct Program {
    long long batch, pitch;  // rows of X, and entries from one to the next
    int n_in, n_out;
    int samples;       // rows of a tile
    int height, half;  // entries from one row of the tile to the next, and between its halves
    int swizzle, fill, direct_in, direct_out, n_stages;
    int adds;  // whether the product is added to Y
    Stage stages[24];
};
static_assert(sizeof(Program) == 736, "cuda.py lays it out alike");

constexpr int BANKS = 128 / sizeof(Number);  // entries that shared memory serves at once

// Where entry n of a row of the tile lies: neighbours in steps of a power of two, of up to 32 rows of
// banks, differ in banks as far as the swizzle reaches.
__device__ __forceinline__ int place(int n, const Program& p)
{
    return n ^ ((n / BANKS * p.swizzle) & (BANKS - 1));
}

// Where COUNT neighbours lie in a row of the tile that an index, if given, sends elsewhere; or -1.
template <int COUNT>
__device__ __forceinline__ void places(int* at, const int* __restrict__ index, int n, const Program& p)
{
#pragma unroll
    for (int e = 0; e < COUNT; e++) {
        at[e] = index ? index[n + e] : n + e;
        at[e] = at[e] < 0 ? -1 : place(at[e], p);
    }
}

// Rows of X into the tile: entry n goes to into[n], or nowhere where that is -1.
template <int COUNT>
__device__ void read_rows(
    const Number* __restrict__ X, Number* tile, const int* __restrict__ into, const Program& p, int live)
{
    int pieces = p.n_in / COUNT, teams = max(1, int(blockDim.x) / pieces);
    for (int item = threadIdx.x; item < pieces * teams; item += blockDim.x) {
        int n = item % pieces * COUNT, at[COUNT];
        places<COUNT>(at, into, n, p);
#pragma unroll 4
        for (int s = item / pieces; s < live; s += teams) {
            Number x[COUNT];
            if constexpr (COUNT == WIDE)
                load<COUNT>(x, X + s * p.pitch + n);
            else
                x[0] = X[s * p.pitch + n];
#pragma unroll
            for (int e = 0; e < COUNT; e++)
                if (at[e] >= 0)
                    tile[s * p.height + at[e]] = x[e];
        }
    }
}

// What Y holds after an entry of the product has come to it.
__device__ __forceinline__ Number stored(Number y, const Number& before, const Program& p)
{
    return p.adds ? sum(before, y) : y;
}

// Entries of the tile into rows of Y: entry n is out[n], or zero where that is -1.
template <int COUNT>
__device__ void write_rows(
    const Number* tile, Number* __restrict__ Y, const int* __restrict__ out, const Program& p, int live)
{
    int pieces = p.n_out / COUNT, teams = max(1, int(blockDim.x) / pieces);
    for (int item = threadIdx.x; item < pieces * teams; item += blockDim.x) {
        int n = item % pieces * COUNT, at[COUNT];
        places<COUNT>(at, out, n, p);
#pragma unroll 1
        for (int s = item / pieces; s < live; s += teams) {
            Number y[COUNT];
#pragma unroll
            for (int e = 0; e < COUNT; e++)
                y[e] = at[e] < 0 ? zero() : tile[s * p.height + at[e]];
            Number* to = Y + (long long)s * p.n_out + n;
            if constexpr (COUNT == WIDE) {
                Pack pack;
                if (p.adds)
                    pack = *reinterpret_cast<const Pack*>(to);
#pragma unroll
                for (int e = 0; e < WIDE; e++)
                    pack.entry[e] = stored(y[e], pack.entry[e], p);
                *reinterpret_cast<Pack*>(to) = pack;
            } else
                to[0] = stored(y[0], to[0], p);
        }
    }
}

// Squares of side R in place: a thread keeps a block in registers and takes samples through it.
// X, if given, is read in place of the tile, and Y written.
template <int R, bool FROM_X, bool TO_Y>
__device__ __forceinline__ void multiply_squares(
    const Stage& stage, Number* tile, const Number* __restrict__ X, Number* __restrict__ Y,
    const Pack* __restrict__ values, const Program& p, int live)
{
    constexpr int PACKS = (R * R + WIDE - 1) / WIDE;
    int teams = max(1, int(blockDim.x) / stage.blocks);
    for (int item = threadIdx.x; item < stage.blocks * teams; item += blockDim.x) {
        int q = item % stage.blocks, l = q % stage.d;
        int first = (q - l) * R + l, at[R];
        Number block[PACKS * WIDE];
#pragma unroll
        for (int n = 0; n < PACKS; n++)
            load<WIDE>(block + n * WIDE, (values + stage.values + n * stage.blocks + q)->entry);
#pragma unroll
        for (int k = 0; k < R; k++)
            at[k] = place(first + k * stage.d, p);
#pragma unroll 1
        for (int s = item / stage.blocks * IN_FLIGHT; s < live; s += teams * IN_FLIGHT) {
            Number x[IN_FLIGHT][R];
#pragma unroll
            for (int u = 0; u < IN_FLIGHT; u++)  // all are read before any is written
                if (s + u < live) {
                    if constexpr (FROM_X) {  // d == 1: neighbours
                        load<R>(x[u], X + (s + u) * p.pitch + first);
                    } else {
#pragma unroll
                        for (int k = 0; k < R; k++)
                            x[u][k] = tile[(s + u) * p.height + at[k]];
                    }
                }
#pragma unroll
            for (int u = 0; u < IN_FLIGHT; u++)
                if (s + u < live) {
#pragma unroll
                    for (int j = 0; j < R; j++) {
                        Number y = zero();
#pragma unroll
                        for (int k = 0; k < R; k++)
                            add_product(y, block[j * R + k], x[u][k]);
                        if constexpr (TO_Y) {
                            Number* to = Y + (long long)(s + u) * p.n_out + first + j * stage.d;
                            *to = stored(y, *to, p);
                        } else
                            tile[(s + u) * p.height + at[j]] = y;
                    }
                }
        }
    }
}

template <int R>
__device__ __forceinline__ void multiply_squares(
    const Stage& stage, Number* tile, const Number* X, Number* Y, const Pack* values,
    const Program& p, int live)
{
    if constexpr ((SIDES >> R) & 1) {
        if constexpr (R % WIDE == 0)
            if (X)
                return multiply_squares<R, true, false>(stage, tile, X, Y, values, p, live);
        if (Y)
            return multiply_squares<R, false, true>(stage, tile, X, Y, values, p, live);
        multiply_squares<R, false, false>(stage, tile, X, Y, values, p, live);
    }
}

// Blocks of any shape, from one half of the tile to the other: 4 rows and 4 samples at a time.
__device__ __forceinline__ void multiply_blocks(
    const Stage& stage, Number* tile, const Pack* __restrict__ values, const Program& p, int live)
{
    const Number *from = tile + stage.from * p.half, *base = (values + stage.values)->entry;
    Number* to = tile + stage.to * p.half;
    int bands = (stage.b + 3) / 4, items = stage.blocks * bands * ((live + 3) / 4);
    for (int item = threadIdx.x; item < items; item += blockDim.x) {
        int q = item % stage.blocks, l = q % stage.d, i = q / stage.d;
        int band = item / stage.blocks % bands, s = item / stage.blocks / bands * 4;
        Number sum[4][4];
#pragma unroll
        for (int u = 0; u < 4; u++)
#pragma unroll
            for (int j = 0; j < 4; j++)
                sum[u][j] = zero();
#pragma unroll 1
        for (int k = 0; k < stage.c; k++) {
            Number column[4];
            load<4>(column, base + 4 * ((band * stage.c + k) * stage.blocks + q));
            int at = place((i * stage.c + k) * stage.d + l, p);
#pragma unroll
            for (int u = 0; u < 4; u++)
                if (s + u < live) {
                    Number x = from[(s + u) * p.height + at];
#pragma unroll
                    for (int j = 0; j < 4; j++)
                        add_product(sum[u][j], column[j], x);
                }
        }
#pragma unroll
        for (int j = 0; j < 4; j++)
            if (band * 4 + j < stage.b) {
                int at = place((i * stage.b + band * 4 + j) * stage.d + l, p);
#pragma unroll
                for (int u = 0; u < 4; u++)
                    if (s + u < live)
                        to[(s + u) * p.height + at] = sum[u][j];
            }
    }
}

extern "C" __global__ void __launch_bounds__(THREADS, RESIDENT) multiply_chain(
    const Number* __restrict__ X, Number* __restrict__ Y, const Pack* __restrict__ values,
    const int* __restrict__ into, const int* __restrict__ out, const Program p)
{
    Number* tile = shared_memory->entry;
    long long start = (long long)blockIdx.x * p.samples;
    int live = int(min((long long)p.samples, p.batch - start));
    X += start * p.pitch;
    Y += start * p.n_out;
    bool wide_in = WIDE == 1 || (p.n_in % WIDE == 0 && p.pitch % WIDE == 0 && (size_t)X % 16 == 0);
    bool wide_out = WIDE == 1 || (p.n_out % WIDE == 0 && (size_t)Y % 16 == 0);
    bool direct_in = p.direct_in && wide_in;
    if (!direct_in) {
        if (p.fill) {
            for (int n = threadIdx.x; n < live * p.height; n += blockDim.x)
                tile[n] = zero();
            __syncthreads();
        }
        if (wide_in)
            read_rows<WIDE>(X, tile, into, p, live);
        else
            read_rows<1>(X, tile, into, p, live);
        __syncthreads();
    }
    int last = p.n_stages - 1;
    for (int i = 0; i <= last; i++) {
        const Stage& stage = p.stages[i];
        if (GENERAL && stage.from != stage.to)
            multiply_blocks(stage, tile, values, p, live);
        else {
            Number* half = tile + stage.from * p.half;
            const Number* source = direct_in && i == 0 ? X : nullptr;
            Number* target = p.direct_out && i == last ? Y : nullptr;
            switch (stage.b) {
            case 2: multiply_squares<2>(stage, half, source, target, values, p, live); break;
            case 3: multiply_squares<3>(stage, half, source, target, values, p, live); break;
            case 4: multiply_squares<4>(stage, half, source, target, values, p, live); break;
            }
            if (target)
                return;
        }
        __syncthreads();
    }
    tile += p.stages[last].to * p.half;
    if (wide_out)
        write_rows<WIDE>(tile, Y, out, p, live);
    else
        write_rows<1>(tile, Y, out, p, live);
}
