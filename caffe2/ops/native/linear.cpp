// Products of a matrix with few vectors: as fast as memory gives the matrix.
#include <algorithm>
#include <cstdint>

namespace {

constexpr int64_t LANES = 8, PARTS = 4;

// N dot products of a row with vectors `apart` numbers from each other.
template <int N>
inline void dots(const float* row, const float* x, int64_t apart, int64_t length, float* out) {
  float sums[N][PARTS][LANES] = {};
  int64_t k = 0;
  for (; k + PARTS * LANES <= length; k += PARTS * LANES)
    for (int64_t p = 0; p < PARTS; ++p)
      for (int n = 0; n < N; ++n)
#pragma omp simd
        for (int64_t j = 0; j < LANES; ++j) sums[n][p][j] += row[k + p * LANES + j] * x[n * apart + k + p * LANES + j];
  for (int n = 0; n < N; ++n) {
    float whole = 0;
    for (int64_t j = 0; j < LANES; ++j) whole += (sums[n][0][j] + sums[n][1][j]) + (sums[n][2][j] + sums[n][3][j]);
    for (int64_t at = k; at < length; ++at) whole += row[at] * x[n * apart + at];
    out[n] = whole;
  }
}

}  // namespace

extern "C" {

// y = x w^T + b for x of 1 to 4 rows, w of `outputs` rows, each of `length`.
void few_rows(const float* x, const float* w, const float* b, float* y, int64_t rows, int64_t outputs, int64_t length,
              int64_t threads) {
  auto work = rows == 1 ? dots<1> : rows == 2 ? dots<2> : rows == 3 ? dots<3> : dots<4>;
#pragma omp parallel for num_threads(threads) schedule(static)
  for (int64_t m = 0; m < outputs; ++m) {
    float sums[4];
    work(w + m * length, x, length, length, sums);
    for (int64_t n = 0; n < rows; ++n) y[n * outputs + m] = sums[n] + b[m];
  }
}

}  // extern "C"
