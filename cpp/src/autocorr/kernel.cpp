// Compiled once for each level of the processor, as DRAWSTORE_KERNEL names it.
#include "kernel.hpp"

#if defined(__GNUC__)
#define ALWAYS_INLINE inline __attribute__((always_inline))
#define PREFETCH(address) __builtin_prefetch(address)
#else
#define ALWAYS_INLINE inline
#define PREFETCH(address) static_cast<void>(address)
#endif

namespace drawstore::autocorr {
namespace {

// As many doubles as one instruction takes; a plain double where the compiler has no such types.
#if defined(__AVX2__) && defined(__GNUC__)
typedef double Vector __attribute__((vector_size(32)));
typedef double UnalignedVector __attribute__((vector_size(32), aligned(8)));
#elif defined(__GNUC__)
typedef double Vector __attribute__((vector_size(16)));
typedef double UnalignedVector __attribute__((vector_size(16), aligned(8)));
#else
using Vector = double;
using UnalignedVector = double;
#endif
constexpr std::size_t width = sizeof(Vector) / sizeof(double);
static_assert(lanes % width == 0);

ALWAYS_INLINE Vector load(const double* p) { return *reinterpret_cast<const Vector*>(p); }
ALWAYS_INLINE Vector load_unaligned(const double* p) {
    return *reinterpret_cast<const UnalignedVector*>(p);
}
ALWAYS_INLINE void store(double* p, Vector v) { *reinterpret_cast<Vector*>(p) = v; }

ALWAYS_INLINE void store_unaligned(double* p, Vector v) {
    *reinterpret_cast<UnalignedVector*>(p) = v;
}

struct Complex {
    Vector re, im;
};
struct Root {
    double re, im;
};
ALWAYS_INLINE Complex operator+(Complex a, Complex b) { return {a.re + b.re, a.im + b.im}; }
ALWAYS_INLINE Complex operator-(Complex a, Complex b) { return {a.re - b.re, a.im - b.im}; }
ALWAYS_INLINE Complex operator*(Complex a, Root w) {
    return {a.re * w.re - a.im * w.im, a.re * w.im + a.im * w.re};
}
ALWAYS_INLINE Complex times_i(Complex a) { return {-a.im, a.re}; }
ALWAYS_INLINE Root root(const double* w) { return {w[0], w[1]}; }
ALWAYS_INLINE Root conj(Root w) { return {w.re, -w.im}; }

ALWAYS_INLINE Complex load_complex(const double* p) { return {load(p), load(p + lanes)}; }
ALWAYS_INLINE void store_complex(double* p, Complex z) {
    store(p, z.re);
    store(p + lanes, z.im);
}

// Transforms of up to so many rows are made pass by pass, as they stay in the nearest cache.
constexpr std::size_t cached_rows = 64;

// Four rows `distance` apart become their sums with the powers of -i, the first step of
// decimation in frequency. Without twiddles where w is null.
template <bool twiddled>
ALWAYS_INLINE void split(double* x, std::size_t distance, const double* w) {
    double* const x1 = x + distance;
    double* const x2 = x1 + distance;
    double* const x3 = x2 + distance;
    for (std::size_t l = 0; l < lanes; l += width) {
        const Complex a0 = load_complex(x + l);
        const Complex a1 = load_complex(x1 + l);
        const Complex a2 = load_complex(x2 + l);
        const Complex a3 = load_complex(x3 + l);
        const Complex even = a0 + a2;
        const Complex odd = a1 + a3;
        const Complex d = a0 - a2;
        const Complex id = times_i(a1 - a3);
        store_complex(x + l, even + odd);
        if constexpr (twiddled) {
            store_complex(x1 + l, (d - id) * root(w));
            store_complex(x2 + l, (even - odd) * root(w + 2));
            store_complex(x3 + l, (d + id) * root(w + 4));
        } else {
            store_complex(x1 + l, d - id);
            store_complex(x2 + l, even - odd);
            store_complex(x3 + l, d + id);
        }
    }
}

// What undoes split, up to a factor 4: the last step of decimation in time.
template <bool twiddled>
ALWAYS_INLINE void join(double* x, std::size_t distance, const double* w) {
    double* const x1 = x + distance;
    double* const x2 = x1 + distance;
    double* const x3 = x2 + distance;
    for (std::size_t l = 0; l < lanes; l += width) {
        const Complex b0 = load_complex(x + l);
        Complex b1 = load_complex(x1 + l);
        Complex b2 = load_complex(x2 + l);
        Complex b3 = load_complex(x3 + l);
        if constexpr (twiddled) {
            b1 = b1 * conj(root(w));
            b2 = b2 * conj(root(w + 2));
            b3 = b3 * conj(root(w + 4));
        }
        const Complex even = b0 + b2;
        const Complex odd = b1 + b3;
        const Complex d = b0 - b2;
        const Complex id = times_i(b1 - b3);
        store_complex(x + l, even + odd);
        store_complex(x1 + l, d + id);
        store_complex(x2 + l, even - odd);
        store_complex(x3 + l, d - id);
    }
}

// Two rows become sum and difference: what is left of a size that is no power of four.
ALWAYS_INLINE void swap_two(double* x) {
    for (std::size_t l = 0; l < lanes; l += width) {
        const Complex a0 = load_complex(x + l);
        const Complex a1 = load_complex(x + row_width + l);
        store_complex(x + l, a0 + a1);
        store_complex(x + row_width + l, a0 - a1);
    }
}

ALWAYS_INLINE void split_all(double* x, std::size_t n, const double* w) {
    const std::size_t quarter = n / 4;
    for (std::size_t j = 0; j < quarter; ++j) {
        split<true>(x + j * row_width, quarter * row_width, w + 6 * j);
    }
}

ALWAYS_INLINE void join_all(double* x, std::size_t n, const double* w) {
    const std::size_t quarter = n / 4;
    for (std::size_t j = 0; j < quarter; ++j) {
        join<true>(x + j * row_width, quarter * row_width, w + 6 * j);
    }
}

// `n` rows in natural order become their transform, digit-reversed. n is 1 << log_n.
void transform(const Twiddles& twiddles, double* x, unsigned log_n) {
    const std::size_t n = std::size_t{1} << log_n;
    if (n > cached_rows) {
        split_all(x, n, twiddles.passes[log_n]);
        for (int i = 0; i < 4; ++i) transform(twiddles, x + i * (n / 4) * row_width, log_n - 2);
        return;
    }
    for (; log_n > 2; log_n -= 2) {
        const std::size_t m = std::size_t{1} << log_n;
        for (std::size_t i = 0; i < n; i += m) {
            split_all(x + i * row_width, m, twiddles.passes[log_n]);
        }
    }
    if (log_n == 2) {
        for (std::size_t i = 0; i < n; i += 4) {
            split<false>(x + i * row_width, row_width, nullptr);
        }
    } else if (log_n == 1) {
        for (std::size_t i = 0; i < n; i += 2) swap_two(x + i * row_width);
    }
}

// The inverse, from digit-reversed order to natural order.
void transform_back(const Twiddles& twiddles, double* x, unsigned log_n) {
    const std::size_t n = std::size_t{1} << log_n;
    if (n > cached_rows) {
        for (int i = 0; i < 4; ++i) {
            transform_back(twiddles, x + i * (n / 4) * row_width, log_n - 2);
        }
        join_all(x, n, twiddles.passes[log_n]);
        return;
    }
    unsigned log_m = 2 - log_n % 2;
    if (log_n == 0) return;
    if (log_m == 2) {
        for (std::size_t i = 0; i < n; i += 4) join<false>(x + i * row_width, row_width, nullptr);
    } else {
        for (std::size_t i = 0; i < n; i += 2) swap_two(x + i * row_width);
    }
    for (log_m += 2; log_m <= log_n; log_m += 2) {
        const std::size_t m = std::size_t{1} << log_m;
        for (std::size_t i = 0; i < n; i += m) {
            join_all(x + i * row_width, m, twiddles.passes[log_m]);
        }
    }
}

unsigned log2_of(std::size_t power) {
    unsigned log = 0;
    while (power >> log > 1) ++log;
    return log;
}

void turn(const Twiddles& twiddles, std::size_t start, std::size_t n_rows, double* rows) {
    const std::size_t half = twiddles.block * row_width;
    for (std::size_t j = start; j < start + n_rows; ++j) {
        double* const x = rows + j * row_width;
        const Root w = root(twiddles.turns + 2 * j);
        for (std::size_t l = 0; l < lanes; l += width) {
            store_complex(x + half + l, load_complex(x + l) * w);
        }
    }
}

void forward(const Twiddles& twiddles, double* rows) {
    const unsigned log_n = log2_of(twiddles.block);
    transform(twiddles, rows, log_n);
    transform(twiddles, rows + twiddles.block * row_width, log_n);
}

void inverse(const Twiddles& twiddles, double* rows) {
    const std::size_t half = twiddles.block * row_width;
    const unsigned log_n = log2_of(twiddles.block);
    transform_back(twiddles, rows, log_n);
    transform_back(twiddles, rows + half, log_n);
    for (std::size_t j = 0; j < twiddles.block; ++j) {
        double* const x = rows + j * row_width;
        const Root w = conj(root(twiddles.turns + 2 * j));
        for (std::size_t l = 0; l < lanes; l += width) {
            store_complex(x + l, load_complex(x + l) + load_complex(x + half + l) * w);
        }
    }
}

ALWAYS_INLINE void add_product(double* sum, Complex a, Complex b) {
    const Complex s = load_complex(sum);
    store_complex(sum, {s.re + a.re * b.re + a.im * b.im, s.im + a.re * b.im - a.im * b.re});
}

void correlate(std::size_t block, const double* z, const double* next, double* spectrum) {
    const std::size_t half = block * row_width;
    if (next == nullptr) {
        for (std::size_t i = 0; i < 2 * half; i += row_width) {
            for (std::size_t l = i; l < i + lanes; l += width) {
                const Complex a = load_complex(z + l);
                store(spectrum + l, load(spectrum + l) + a.re * a.re + a.im * a.im);
            }
        }
        return;
    }
    for (std::size_t i = 0; i < half; i += row_width) {
        for (std::size_t l = i; l < i + lanes; l += width) {
            const Complex a = load_complex(z + l);
            add_product(spectrum + l, a, a + load_complex(next + l));
        }
    }
    for (std::size_t i = half; i < 2 * half; i += row_width) {
        for (std::size_t l = i; l < i + lanes; l += width) {
            const Complex a = load_complex(z + l);
            add_product(spectrum + l, a, a - load_complex(next + l));
        }
    }
}

template <class T>
constexpr bool is_double = false;
template <>
constexpr bool is_double<double> = true;

template <class T>
ALWAYS_INLINE const T* number(const std::byte* at) {
    return reinterpret_cast<const T*>(at);
}

// How far ahead memory is asked for.
constexpr std::ptrdiff_t prefetched_rows = 32;

void pack_adjacent(const Sources& sources, std::size_t first_row, std::size_t n_rows, double* out) {
    double reference[row_width];
    for (std::size_t i = 0; i < row_width; ++i) {
        reference[i] = *number<double>(sources.reference[i]);
    }
    const auto start = static_cast<std::ptrdiff_t>(first_row) * sources.stride;
    const std::byte* re = sources.at[0] + start;
    const std::byte* im = sources.at[lanes] + start;
    const std::ptrdiff_t ahead = prefetched_rows * sources.stride;
    const auto put = [&](std::size_t i, const double* from) {
        const Vector difference = load_unaligned(from) - load_unaligned(reference + i);
        store(out + i,
              difference * load_unaligned(sources.scale + i) + load_unaligned(sources.shift + i));
    };
    for (std::size_t t = 0; t < n_rows; ++t) {
        PREFETCH(re + ahead);
        PREFETCH(im + ahead);
        for (std::size_t l = 0; l < lanes; l += width) {
            put(l, number<double>(re) + l);
            put(lanes + l, number<double>(im) + l);
        }
        re += sources.stride;
        im += sources.stride;
        out += row_width;
    }
}

template <class T>
void pack_column(const Sources& sources, std::size_t column, std::size_t first_row,
                 std::size_t n_rows, double* out) {
    const T reference = *number<T>(sources.reference[column]);
    const double scale = sources.scale[column];
    const double shift = sources.shift[column];
    const std::byte* at =
        sources.at[column] + static_cast<std::ptrdiff_t>(first_row) * sources.stride;
    for (std::size_t t = 0; t < n_rows; ++t) {
        double difference;
        if constexpr (sizeof(T) < sizeof(double)) {
            difference = double{*number<T>(at)} - double{reference};
        } else {
            difference = static_cast<double>(*number<T>(at) - reference);
        }
        out[t * row_width + column] = difference * scale + shift;
        at += sources.stride;
    }
}

template <class T>
void pack(const Sources& sources, std::size_t first_row, std::size_t n_rows, double* out) {
    if constexpr (is_double<T>) {
        if (sources.adjacent) return pack_adjacent(sources, first_row, n_rows, out);
    }
    for (std::size_t i = 0; i < row_width; ++i) {
        pack_column<T>(sources, i, first_row, n_rows, out);
    }
}

void sums(const double* rows, std::size_t n_rows, double* sum, double* squares) {
    constexpr std::size_t n_vectors = row_width / width;
    Vector s[n_vectors] = {};
    Vector q[n_vectors] = {};
    for (std::size_t t = 0; t < n_rows; ++t) {
        for (std::size_t i = 0; i < n_vectors; ++i) {
            const Vector x = load(rows + t * row_width + i * width);
            s[i] = s[i] + x;
            q[i] = q[i] + x * x;
        }
    }
    for (std::size_t i = 0; i < n_vectors; ++i) {
        store_unaligned(sum + i * width, s[i]);
        store_unaligned(squares + i * width, q[i]);
    }
}

void lag_products(const double* rows, std::size_t n_rows, std::size_t n_lags, double* products) {
    for (std::size_t lag = 0; lag < n_lags; lag += lag_block) {
        for (std::size_t l = 0; l < row_width; l += width) {
            const double* x = rows + l;
            const double* earlier = x - lag * row_width;
            Vector sums[lag_block] = {};
            for (std::size_t t = 0; t < n_rows; ++t) {
                const Vector now = load(x);
                for (std::size_t k = 0; k < lag_block; ++k) {
                    sums[k] = sums[k] + now * load(earlier - k * row_width);
                }
                x += row_width;
                earlier += row_width;
            }
            double* const out = products + lag * row_width + l;
            for (std::size_t k = 0; k < lag_block; ++k) {
                store(out + k * row_width, load(out + k * row_width) + sums[k]);
            }
        }
    }
}

}  // namespace

const Kernel DRAWSTORE_KERNEL = {{&pack<float>, &pack<double>, &pack<long double>},
                                 &turn,
                                 &sums,
                                 &lag_products,
                                 &forward,
                                 &inverse,
                                 &correlate};

}  // namespace drawstore::autocorr
