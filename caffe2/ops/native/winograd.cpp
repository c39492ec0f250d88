// Convolution with filters of 3x3 by Winograd's minimal filtering F(4x4, 3x3): what surrounds the matrix products.
#include <algorithm>
#include <cstdint>

namespace {

constexpr int64_t BLOCK = 16;  // channels at a time

// Each of six numbers, `step` blocks apart, by Winograd's matrix B^T for the points 0, 1, -1, 2, -2 and infinity.
inline void analysed(const float (*d)[BLOCK], float (*to)[BLOCK], int step) {
#pragma omp simd
  for (int64_t k = 0; k < BLOCK; ++k) {
    float d0 = d[0][k], d1 = d[step][k], d2 = d[2 * step][k], d3 = d[3 * step][k], d4 = d[4 * step][k],
          d5 = d[5 * step][k];
    float even = d4 - 4 * d2, odd = d3 - 4 * d1, half = d4 - d2, twice = 2 * (d3 - d1);
    to[0][k] = 4 * d0 - 5 * d2 + d4;
    to[step][k] = even + odd;
    to[2 * step][k] = even - odd;
    to[3 * step][k] = half + twice;
    to[4 * step][k] = half - twice;
    to[5 * step][k] = 4 * d1 - 5 * d3 + d5;
  }
}

// Four numbers of six by A^T.
inline void gathered(const float (*m)[BLOCK], float (*to)[BLOCK], int step, int out) {
#pragma omp simd
  for (int64_t k = 0; k < BLOCK; ++k) {
    float m0 = m[0][k], sum = m[step][k] + m[2 * step][k], apart = m[step][k] - m[2 * step][k],
          far = m[3 * step][k] + m[4 * step][k], wide = m[3 * step][k] - m[4 * step][k];
    to[0][k] = m0 + sum + far;
    to[out][k] = apart + 2 * wide;
    to[2 * out][k] = sum + 4 * far;
    to[3 * out][k] = apart + 8 * wide + m[5 * step][k];
  }
}

}  // namespace

extern "C" {

// Some tiles of images N H W C, 6x6 every 4, analysed: v has 36 matrices, a row for each tile and a column a channel.
void analyse(const float* x, float* v, int64_t first, int64_t tiles, int64_t h, int64_t w, int64_t channels,
             int64_t top, int64_t left, int64_t down, int64_t across, int64_t threads) {
  int64_t rows = tiles * channels;
#pragma omp parallel for num_threads(threads) schedule(static)
  for (int64_t k = 0; k < tiles; ++k) {
    int64_t t = first + k;
    int64_t r = t / across % down * 4 - top, c = t % across * 4 - left;
    const float* image = x + t / (down * across) * h * w * channels;
    for (int64_t from = 0; from < channels; from += BLOCK) {
      int64_t n = std::min(BLOCK, channels - from);
      float d[36][BLOCK], e[36][BLOCK];
      for (int64_t a = 0; a < 6; ++a)
        for (int64_t b = 0; b < 6; ++b) {
          float* to = d[a * 6 + b];
          bool inside = r + a >= 0 && r + a < h && c + b >= 0 && c + b < w;
          if (inside && n == BLOCK)
            std::copy_n(image + ((r + a) * w + c + b) * channels + from, BLOCK, to);
          else {
            std::fill_n(to, BLOCK, 0.0f);
            if (inside) std::copy_n(image + ((r + a) * w + c + b) * channels + from, n, to);
          }
        }
      for (int a = 0; a < 6; ++a) analysed(d + a * 6, e + a * 6, 1);
      for (int b = 0; b < 6; ++b) analysed(e + b, d + b, 6);
      for (int64_t p = 0; p < 36; ++p) {
        float* to = v + p * rows + k * channels + from;
        if (n == BLOCK)
          std::copy_n(d[p], BLOCK, to);
        else
          std::copy_n(d[p], n, to);
      }
    }
  }
}

// The other way: of 36 matrices a tile of 4x4 each, put together as images N H W M and a bias added.
void gather(const float* m, const float* bias, float* y, int64_t first, int64_t tiles, int64_t h, int64_t w,
            int64_t channels, int64_t down, int64_t across, int64_t threads) {
  int64_t rows = tiles * channels;
#pragma omp parallel for num_threads(threads) schedule(static)
  for (int64_t q = 0; q < tiles; ++q) {
    int64_t t = first + q;
    int64_t r = t / across % down * 4, c = t % across * 4;
    float* image = y + t / (down * across) * h * w * channels;
    for (int64_t from = 0; from < channels; from += BLOCK) {
      int64_t n = std::min(BLOCK, channels - from);
      float d[36][BLOCK], e[24][BLOCK], out[16][BLOCK], shift[BLOCK] = {};
      if (bias) std::copy_n(bias + from, n, shift);
      for (int64_t k = 0; k < 36; ++k) {
        const float* source = m + k * rows + q * channels + from;
        if (n == BLOCK)
          std::copy_n(source, BLOCK, d[k]);
        else
          std::fill_n(std::copy_n(source, n, d[k]), BLOCK - n, 0.0f);
      }
      for (int b = 0; b < 6; ++b) gathered(d + b, e + b, 6, 6);
      for (int a = 0; a < 4; ++a) gathered(e + a * 6, out + a * 4, 1, 1);
      for (int64_t a = 0; a < std::min<int64_t>(4, h - r); ++a)
        for (int64_t b = 0; b < std::min<int64_t>(4, w - c); ++b) {
          float* to = image + ((r + a) * w + c + b) * channels + from;
          const float* value = out[a * 4 + b];
          if (n == BLOCK) {
#pragma omp simd
            for (int64_t k = 0; k < BLOCK; ++k) to[k] = value[k] + shift[k];
          } else {
            for (int64_t k = 0; k < n; ++k) to[k] = value[k] + shift[k];
          }
        }
    }
  }
}

// A number that tells the bits of numbers from any others that are likely to be met: one changed number changes it.
void fingerprint(const uint32_t* bits, int64_t n, uint64_t* out, int64_t) {
  constexpr int64_t LANES = 32;
  uint32_t lane[LANES];
  for (int64_t j = 0; j < LANES; ++j) lane[j] = j + 1;
  int64_t k = 0;
  for (; k + LANES <= n; k += LANES)
#pragma omp simd
    for (int64_t j = 0; j < LANES; ++j) lane[j] = (lane[j] ^ bits[k + j]) * 0x9E3779B1u;
  for (; k < n; ++k) lane[k % LANES] = (lane[k % LANES] ^ bits[k]) * 0x9E3779B1u;
  uint64_t all = n;
  for (uint32_t one : lane) all = (all ^ one) * 0x9E3779B97F4A7C15ull, all ^= all >> 29;
  *out = all;
}

}  // extern "C"
