// Pooling by the maximum over two axes; in its gradient every element that equals its window's maximum gets dY.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

namespace {

struct Shape {
  int64_t h, w, oh, ow, kh, kw, sh, sw, top, left;
};

// One plane of N C H W; a window's size known to the compiler unless 0.
template <int KH, int KW, int SH, int SW>
void plane(const float* x, const float* y, const float* dy, float* dx, const Shape& s) {
  std::memset(dx, 0, s.h * s.w * sizeof(float));
  int64_t kh = KH ? KH : s.kh, kw = KW ? KW : s.kw, sh = SH ? SH : s.sh, sw = SW ? SW : s.sw;
  // Windows that lie within the image along its rows: the loops over these have no bounds to look at.
  int64_t first = std::min(s.ow, (s.left + sw - 1) / sw), last = s.w + s.left - kw;
  last = std::max(first, last < 0 ? 0 : std::min(s.ow, last / sw + 1));
  for (int64_t i = 0; i < s.oh; ++i) {
    int64_t r0 = std::max<int64_t>(0, s.top - i * sh), r1 = std::min(kh, s.h + s.top - i * sh);
    const float *best = y + i * s.ow, *flow = dy + i * s.ow;
    auto clipped = [&](int64_t j) {
      int64_t at = j * sw - s.left, c0 = std::max<int64_t>(0, at), c1 = std::min(s.w, at + kw);
      for (int64_t r = r0; r < r1; ++r)
        for (int64_t c = c0; c < c1; ++c) {
          int64_t k = (i * sh - s.top + r) * s.w + c;
          dx[k] += x[k] == best[j] ? flow[j] : 0;
        }
    };
    for (int64_t j = 0; j < first; ++j) clipped(j);
    if (r0 == 0 && r1 == kh) {
      const float* from = x + (i * sh - s.top) * s.w - s.left;
      float* to = dx + (i * sh - s.top) * s.w - s.left;
      for (int64_t j = first; j < last; ++j) {
        float m = best[j], g = flow[j];
        for (int64_t r = 0; r < kh; ++r)
          for (int64_t c = 0; c < kw; ++c) {
            int64_t k = r * s.w + j * sw + c;
            to[k] += from[k] == m ? g : 0;
          }
      }
    } else {
      for (int64_t j = first; j < last; ++j) clipped(j);
    }
    for (int64_t j = last; j < s.ow; ++j) clipped(j);
  }
}

// One image of N H W C.
void image(const float* x, const float* y, const float* dy, float* dx, int64_t channels, const Shape& s) {
  std::memset(dx, 0, s.h * s.w * channels * sizeof(float));
  for (int64_t i = 0; i < s.oh; ++i)
    for (int64_t j = 0; j < s.ow; ++j) {
      const float *best = y + (i * s.ow + j) * channels, *flow = dy + (i * s.ow + j) * channels;
      int64_t r = i * s.sh - s.top, c = j * s.sw - s.left;
      for (int64_t a = std::max<int64_t>(0, r); a < std::min(s.h, r + s.kh); ++a)
        for (int64_t b = std::max<int64_t>(0, c); b < std::min(s.w, c + s.kw); ++b) {
          const float* from = x + (a * s.w + b) * channels;
          float* to = dx + (a * s.w + b) * channels;
#pragma omp simd
          for (int64_t k = 0; k < channels; ++k) to[k] += from[k] == best[k] ? flow[k] : 0;
        }
    }
}

}  // namespace

extern "C" {

// Maxima of the windows of N H W C.
void max_pool(const float* x, float* y, int64_t images, int64_t channels, int64_t h, int64_t w, int64_t oh, int64_t ow,
              int64_t kh, int64_t kw, int64_t sh, int64_t sw, int64_t top, int64_t left, int64_t threads) {
  if (images * h * w * channels < 1 << 14) threads = 1;
#pragma omp parallel for num_threads(threads) schedule(static)
  for (int64_t row = 0; row < images * oh; ++row) {
    const float* image = x + row / oh * h * w * channels;
    int64_t r = row % oh * sh - top;
    for (int64_t j = 0; j < ow; ++j) {
      float* best = y + (row * ow + j) * channels;
      int64_t c = j * sw - left;
      std::fill(best, best + channels, -INFINITY);
      for (int64_t a = std::max<int64_t>(0, r); a < std::min(h, r + kh); ++a)
        for (int64_t b = std::max<int64_t>(0, c); b < std::min(w, c + kw); ++b) {
          const float* from = image + (a * w + b) * channels;
#pragma omp simd
          for (int64_t k = 0; k < channels; ++k) best[k] = from[k] > best[k] || from[k] != from[k] ? from[k] : best[k];
        }
    }
  }
}

void max_pool_gradient(const float* x, const float* y, const float* dy, float* dx, int64_t planes, int64_t channels,
                       int64_t h, int64_t w, int64_t oh, int64_t ow, int64_t kh, int64_t kw, int64_t sh, int64_t sw,
                       int64_t top, int64_t left, int64_t threads) {
  Shape s{h, w, oh, ow, kh, kw, sh, sw, top, left};
  int64_t in = h * w * channels, out = oh * ow * channels;
  auto one = channels != 1                                   ? nullptr
             : kh == 2 && kw == 2 && sh == 2 && sw == 2 ? plane<2, 2, 2, 2>
             : kh == 3 && kw == 3 && sh == 2 && sw == 2 ? plane<3, 3, 2, 2>
             : kh == 3 && kw == 3 && sh == 1 && sw == 1 ? plane<3, 3, 1, 1>
                                                        : plane<0, 0, 0, 0>;
  if (planes * in < 1 << 14) threads = 1;
#pragma omp parallel for num_threads(threads) schedule(static)
  for (int64_t p = 0; p < planes; ++p) {
    if (one)
      one(x + p * in, y + p * out, dy + p * out, dx + p * in, s);
    else
      image(x + p * in, y + p * out, dy + p * out, dx + p * in, channels, s);
  }
}

}  // extern "C"
