// Best rank-one approximation of the class blocks of a product A, in one pass.
//
// A thread block takes `together` blocks P of size b x c, neighbours in the same rows of A, into
// shared memory and multiplies them there. From their largest row on, power steps y <- P^H P y go on
// until x = P y is exact or certified: with theta = |x|^2, r = |P^H x - theta y| and the tail
// |P|^2 - theta, which bounds every other eigenvalue of P^H P where it is less than theta, y misses
// too much by at most r^2 / (theta - tail): the bound of Kato and Temple for the largest eigenvalue of
// a Hermitian matrix (B. N. Parlett, The Symmetric Eigenvalue Problem, 1998, section 11.7). Blocks
// without a certificate are marked by -1.
//
// Global memory: A is read once, 16 bytes at a time where its rows allow it; the vectors, norms and
// what is missed are written once. Shared memory: every step reads P twice.
//
// CuPy compiles with -ftz=true: a block of float32 denormals alone counts as zero. Callers bring the
// norm of a matrix near one, which such a block then changes by no digit.
//
// Macro beside those of number.cu, which stands before this: THREADS (of a block).

constexpr REAL EPS = sizeof(REAL) == 4 ? 1.1920928955078125e-7 : 2.220446049250313e-16;
// squared norms between this and its inverse lose nothing to under- or overflow
constexpr REAL TINY = sizeof(REAL) == 4 ? 6e-11 : 1e-245;

// Numbers that are added up in a row. Sums of as many are added with what rounding takes from them:
// a sum of any length is as exact as one of RUN numbers.
constexpr int RUN = 32;

struct Sum {
    REAL total = 0, lost = 0;

    __device__ __forceinline__ void add(REAL run)
    {
        REAL more = run - lost, sum = total + more;
        lost = (sum - total) - more;
        total = sum;
    }
};

#if PARTS == 1
struct NumberSum {
    Sum sum;
    __device__ __forceinline__ void add(Number run) { sum.add(run); }
    __device__ __forceinline__ Number total() const { return sum.total; }
};
#else
struct NumberSum {
    Sum re, im;
    __device__ __forceinline__ void add(Number run) { re.add(run.re), im.add(run.im); }
    __device__ __forceinline__ Number total() const { return {re.total, im.total}; }
};
#endif

// The squared norm of a vector.
__device__ __forceinline__ REAL norm2_of(const Number* vector, int n)
{
    Sum sum;
#pragma unroll 1
    for (int l = 0; l < n;) {
        REAL run = 0;
        for (int end = min(n, l + RUN); l < end; l++)
            run += abs2(vector[l]);
        sum.add(run);
    }
    return sum.total;
}

struct Sizes {
    long long pitch;           // entries from one row of A to the next
    int t, u, d, b, c;         // the classes: a * d * u groups of t blocks
    int together, thread_blocks;  // blocks of a thread block, and how many of these a group takes
    int steps, leftwards, unused;  // power steps at most; whether y, not x, is to have norm 1
};
static_assert(sizeof(Sizes) == 48, "cuda.py lays it out alike");

enum Status { RUNNING, CERTIFIED, ZERO, UNCERTIFIED };

struct State {
    REAL norm2, theta, missed2, scale;
    int pivot;
    Status status;
};

// The shared memory of a thread block: its blocks, with an odd number of entries from row to row, so
// that threads with neighbouring rows of a real float32 block meet no bank conflict (other types and
// threads of several blocks meet some), and the vectors of each.
struct Tile {
    int b, c, pitch;
    Number *P, *x, *y, *z;
    REAL *row2, *sums;
    State* states;

    __device__ Tile(const Sizes& p)
    {
        b = p.b, c = p.c, pitch = c | 1;
        P = shared_memory->entry;
        y = P + p.together * b * pitch;
        z = y + p.together * c;
        x = z + p.together * c;
        row2 = reinterpret_cast<REAL*>(x + p.together * b);
        sums = row2 + p.together * b;
        states = reinterpret_cast<State*>(sums + 2 * p.together * c);
    }
    __device__ Number* row(int g, int j) { return P + (g * b + j) * pitch; }
};

template <int COUNT>
__device__ void read_blocks(const Number* __restrict__ A, const Sizes& p, Tile& tile, int n)
{
    int pieces = n * p.c / COUNT, teams = max(1, int(blockDim.x) / pieces);
    for (int item = threadIdx.x; item < pieces * teams; item += blockDim.x) {
        int k = item % pieces * COUNT, g = k / p.c, l = k % p.c;
#pragma unroll 4
        for (int j = item / pieces; j < p.b; j += teams) {
            const Number* from = A + j * (p.pitch * p.u) + k;
            Number* to = tile.row(g, j) + l;
            if constexpr (COUNT == WIDE) {
                Number entries[COUNT];
                load<COUNT>(entries, from);
#pragma unroll
                for (int e = 0; e < COUNT; e++)
                    to[e] = entries[e];
            } else
                to[0] = from[0];
        }
    }
}

// The squared norm of each row; -1 where it underflows to zero.
__device__ void square_rows(Tile& tile, int n)
{
    for (int item = threadIdx.x; item < n * tile.b; item += blockDim.x) {
        const Number* row = tile.P + item * tile.pitch;
        REAL total = 0;
        bool zeros = true;
        for (int l = 0; l < tile.c; l++) {
            total += abs2(row[l]);
            zeros = zeros && is_zero(row[l]);
        }
        tile.row2[item] = total == 0 && !zeros ? -1 : total;
    }
}

// Which blocks can be worked on, and their largest rows. One thread for a block.
__device__ void start(Tile& tile, int n)
{
    for (int g = threadIdx.x; g < n; g += blockDim.x) {
        const REAL* row2 = tile.row2 + g * tile.b;
        State state = {0, 0, 0, 0, 0, RUNNING};
        bool zeros = true;
        for (int j = 0; j < tile.b; j++) {
            zeros = zeros && row2[j] == 0;
            state.norm2 += row2[j] < 0 ? 0 : row2[j];  // NaN is kept
            if (row2[j] > row2[state.pivot])
                state.pivot = j;
        }
        if (zeros)
            state.status = ZERO;
        else if (!(state.norm2 > TINY && state.norm2 < 1 / TINY))
            state.status = UNCERTIFIED;
        else
            state.scale = 1 / sqrt(norm2_of(tile.row(g, state.pivot), tile.c));
        tile.states[g] = state;
    }
}

// x = P y. One thread for an entry.
__device__ void multiply(Tile& tile, int n)
{
    for (int item = threadIdx.x; item < n * tile.b; item += blockDim.x) {
        int g = item / tile.b;
        if (tile.states[g].status != RUNNING)
            continue;
        const Number *row = tile.P + item * tile.pitch, *y = tile.y + g * tile.c;
        NumberSum total;
#pragma unroll 1
        for (int l = 0; l < tile.c;) {
            Number run = zero();
            for (int end = min(tile.c, l + RUN); l < end; l++)
                add_product(run, row[l], y[l]);
            total.add(run);
        }
        tile.x[item] = total.total();
    }
}

// z = P^H x, theta = |x|^2, and of each column the parts of |P - x y^H|^2 and of |z - theta y|^2.
__device__ void multiply_back(Tile& tile, int n)
{
    for (int item = threadIdx.x; item < n * tile.c; item += blockDim.x) {
        int g = item / tile.c, l = item % tile.c;
        if (tile.states[g].status != RUNNING)
            continue;
        const Number *entry = tile.row(g, 0) + l, *x = tile.x + g * tile.b;
        Number y = tile.y[item], minus = scaled(-1, conj(y));
        NumberSum z;
        Sum theta;
        REAL missed2 = 0;
#pragma unroll 1
        for (int j = 0; j < tile.b;) {
            Number z_run = zero();
            REAL theta_run = 0, missed2_run = 0;
#pragma unroll 2
            for (int end = min(tile.b, j + RUN); j < end; j++, entry += tile.pitch) {
                Number rest = *entry;
                add_product(z_run, conj(rest), x[j]);
                add_product(rest, x[j], minus);
                missed2_run += abs2(rest);
                theta_run += abs2(x[j]);
            }
            z.add(z_run), theta.add(theta_run), missed2 += missed2_run;
        }
        tile.z[item] = z.total();
        tile.sums[2 * item] = missed2;
        tile.sums[2 * item + 1] = abs2(difference(z.total(), scaled(theta.total, y)));
        if (l == 0)
            tile.states[g].theta = theta.total;
    }
}

// Whether x and y are what is sought. One thread for a block.
__device__ void decide(Tile& tile, int n, bool last)
{
    for (int g = threadIdx.x; g < n; g += blockDim.x) {
        State& state = tile.states[g];
        if (state.status != RUNNING)
            continue;
        REAL missed2 = 0, off2 = 0, theta = state.theta;
        for (int k = g * tile.c; k < (g + 1) * tile.c; k++) {
            missed2 += tile.sums[2 * k];
            off2 += tile.sums[2 * k + 1];
        }
        REAL least = EPS * EPS * (256 + 16 * max(tile.b, tile.c)) * theta * theta;
        REAL gap = theta - missed2;
        state.missed2 = missed2;
        state.scale = 1 / sqrt(norm2_of(tile.z + g * tile.c, tile.c));
        if (missed2 <= 64 * EPS * EPS * tile.c * state.norm2)  // exact
            state.status = CERTIFIED;
        else if (!(gap > 0))
            state.status = UNCERTIFIED;
        else if (off2 <= least || (off2 <= 256 * least && off2 <= 500 * EPS * missed2 * gap))
            state.status = CERTIFIED;
        else if (last)
            state.status = UNCERTIFIED;
    }
}

extern "C" __global__ void __launch_bounds__(THREADS, 8) split_rank_one(
    const Number* __restrict__ A, Number* __restrict__ left, Number* __restrict__ right,
    REAL* __restrict__ missed, REAL* __restrict__ norm2, const Sizes p)
{
    Tile tile(p);
    int group = blockIdx.x / p.thread_blocks, w = blockIdx.x % p.thread_blocks * p.together;
    int n = min(p.together, p.t - w);
    int s = group % p.u, m = group / p.u % p.d, i = group / p.u / p.d;
    A += ((long long)(i * p.d + m) * p.b * p.u + s) * p.pitch + w * p.c;
    if (WIDE == 1 || (p.c % WIDE == 0 && p.pitch % WIDE == 0 && (size_t)A % 16 == 0))
        read_blocks<WIDE>(A, p, tile, n);
    else
        read_blocks<1>(A, p, tile, n);
    __syncthreads();
    square_rows(tile, n);
    __syncthreads();
    start(tile, n);
    __syncthreads();
    // the largest row has the least rounding
    for (int item = threadIdx.x; item < n * p.c; item += blockDim.x) {
        const State& state = tile.states[item / p.c];
        tile.y[item] = scaled(state.scale, conj(tile.row(item / p.c, state.pivot)[item % p.c]));
    }
    __syncthreads();
    for (int step = 0;; step++) {
        multiply(tile, n);
        __syncthreads();
        multiply_back(tile, n);
        __syncthreads();
        decide(tile, n, step == p.steps);
        __syncthreads();
        bool running = false;
        for (int g = 0; g < n; g++)
            running = running || tile.states[g].status == RUNNING;
        if (!running)
            break;
        for (int item = threadIdx.x; item < n * p.c; item += blockDim.x) {
            const State& state = tile.states[item / p.c];
            if (state.status == RUNNING)
                tile.y[item] = scaled(state.scale, tile.z[item]);
        }
        __syncthreads();
    }

    // the values (a, u d, b, t) of the left factor and (a t, d, u, c) of the right one
    for (int item = threadIdx.x; item < n * p.b; item += blockDim.x) {
        int j = item / n, g = item % n;
        const State& state = tile.states[g];
        REAL scale = p.leftwards ? 1 : 1 / sqrt(state.theta);
        left[(((long long)(i * p.u + s) * p.d + m) * p.b + j) * p.t + w + g] =
            state.status == CERTIFIED ? scaled(scale, tile.x[g * p.b + j]) : zero();
    }
    for (int item = threadIdx.x; item < n * p.c; item += blockDim.x) {
        int g = item / p.c, l = item % p.c;
        const State& state = tile.states[g];
        Number along = p.leftwards ? tile.y[item] : tile.z[item];
        REAL scale = p.leftwards ? 1 : 1 / sqrt(state.theta);
        right[(((long long)(i * p.t + w + g) * p.d + m) * p.u + s) * p.c + l] =
            state.status == CERTIFIED ? scaled(scale, conj(along)) : zero();
    }
    for (int g = threadIdx.x; g < n; g += blockDim.x) {
        const State& state = tile.states[g];
        long long at = (long long)group * p.t + w + g;
        norm2[at] = state.norm2;
        missed[at] = state.status == UNCERTIFIED ? -1 : sqrt(state.missed2);
    }
}

// The sum, or the largest, of a number of each thread; a power of two of threads.
__device__ __forceinline__ double fold(double* partial, double mine, bool sum)
{
    partial[threadIdx.x] = mine;
    for (int half = blockDim.x / 2; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.x < half) {
            double other = partial[threadIdx.x + half];
            mine = sum ? mine + other : max(mine, other);
            partial[threadIdx.x] = mine;
        }
    }
    __syncthreads();
    double result = partial[0];
    __syncthreads();
    return result;
}

// What the host has to know of n blocks, by one thread block: the norm of what they miss, their own
// squared norm, and how many have no certificate.
extern "C" __global__ void __launch_bounds__(1024) summarize(
    const REAL* __restrict__ missed, const REAL* __restrict__ norm2, double* __restrict__ numbers, int n)
{
    double *partial = reinterpret_cast<double*>(shared_memory), most = 0, squares = 0, total = 0;
    int uncertified = 0;
#pragma unroll 4
    for (int i = threadIdx.x; i < n; i += blockDim.x) {
        most = max(most, double(missed[i]));
        total += norm2[i];
        uncertified += missed[i] < 0;
    }
    most = fold(partial, most, false);
    double scale = most > 0 ? 1 / most : 0;  // squares must not underflow
#pragma unroll 4
    for (int i = threadIdx.x; i < n; i += blockDim.x) {
        double part = scale * max(double(missed[i]), 0.0);
        squares += part * part;
    }
    squares = fold(partial, squares, true);
    total = fold(partial, total, true);
    double count = fold(partial, uncertified, true);
    if (threadIdx.x == 0) {
        numbers[0] = most * sqrt(squares);
        numbers[1] = total;
        numbers[2] = count;
    }
}
