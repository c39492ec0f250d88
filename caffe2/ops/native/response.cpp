// Local response normalization across the channels of N C L, and its gradient: a block of places at a time.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace {

constexpr int64_t BLOCK = 128;

inline void powers(const float* scale, float* out, int64_t n, float beta) {
  if (beta == 0.75f) {
#pragma omp simd
    for (int64_t k = 0; k < n; ++k) {
      float root = std::sqrt(scale[k]);
      out[k] = 1 / (root * std::sqrt(root));
    }
  } else {
    for (int64_t k = 0; k < n; ++k) out[k] = std::pow(scale[k], -beta);
  }
}

// out[k] = sum of the squares of a block of x over the channels from `low` to `high`.
inline void sums(const float* x, int64_t length, int64_t low, int64_t high, float* out, int64_t n) {
  std::fill(out, out + n, 0.0f);
  for (int64_t c = low; c < high; ++c) {
    const float* from = x + c * length;
#pragma omp simd
    for (int64_t k = 0; k < n; ++k) out[k] += from[k] * from[k];
  }
}

}  // namespace

extern "C" {

void lrn(const float* x, float* y, float* scale, int64_t images, int64_t channels, int64_t length, int64_t size,
         float alpha, float beta, float bias, int64_t threads) {
  int64_t blocks = (length + BLOCK - 1) / BLOCK, before = (size - 1) / 2;
#pragma omp parallel for num_threads(threads) schedule(static)
  for (int64_t b = 0; b < images * blocks; ++b) {
    int64_t at = b / blocks * channels * length + b % blocks * BLOCK, n = std::min(BLOCK, length - b % blocks * BLOCK);
    float power[BLOCK];
    for (int64_t c = 0; c < channels; ++c) {
      float *s = scale + at + c * length, *out = y + at + c * length;
      const float* in = x + at + c * length;
      sums(x + at, length, std::max<int64_t>(0, c - before), std::min(channels, c - before + size), s, n);
#pragma omp simd
      for (int64_t k = 0; k < n; ++k) s[k] = s[k] * (alpha / size) + bias;
      powers(s, power, n, beta);
#pragma omp simd
      for (int64_t k = 0; k < n; ++k) out[k] = in[k] * power[k];
    }
  }
}

void lrn_gradient(const float* x, const float* y, const float* dy, float* dx, int64_t images, int64_t channels,
                  int64_t length, int64_t size, float alpha, float beta, float bias, int64_t threads) {
  int64_t blocks = (length + BLOCK - 1) / BLOCK, before = (size - 1) / 2;
#pragma omp parallel num_threads(threads)
  {
    std::vector<float> ratios(channels * BLOCK);
#pragma omp for schedule(static)
    for (int64_t b = 0; b < images * blocks; ++b) {
      int64_t at = b / blocks * channels * length + b % blocks * BLOCK;
      int64_t n = std::min(BLOCK, length - b % blocks * BLOCK);
      float s[BLOCK], power[BLOCK];
      for (int64_t c = 0; c < channels; ++c) {
        const float *out = y + at + c * length, *flow = dy + at + c * length;
        float *ratio = ratios.data() + c * BLOCK, *to = dx + at + c * length;
        sums(x + at, length, std::max<int64_t>(0, c - before), std::min(channels, c - before + size), s, n);
#pragma omp simd
        for (int64_t k = 0; k < n; ++k) s[k] = s[k] * (alpha / size) + bias;
        powers(s, power, n, beta);
#pragma omp simd
        for (int64_t k = 0; k < n; ++k) {
          ratio[k] = flow[k] * out[k] / s[k];
          to[k] = flow[k] * power[k];
        }
      }
      for (int64_t c = 0; c < channels; ++c) {
        int64_t low = std::max<int64_t>(0, c - size / 2), high = std::min(channels, c - size / 2 + size);
        std::fill(s, s + n, 0.0f);
        for (int64_t d = low; d < high; ++d) {
          const float* ratio = ratios.data() + d * BLOCK;
#pragma omp simd
          for (int64_t k = 0; k < n; ++k) s[k] += ratio[k];
        }
        const float* in = x + at + c * length;
        float *to = dx + at + c * length, factor = -2 * alpha * beta / size;
#pragma omp simd
        for (int64_t k = 0; k < n; ++k) to[k] += factor * in[k] * s[k];
      }
    }
  }
}

}  // extern "C"
