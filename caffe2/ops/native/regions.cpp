// Regions of an image: means of bilinear samples in the bins of one, upright or turned, and maxima of its cells.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace {

struct Tap {
  int64_t pixel;
  float weight;
};

inline void neighbours(float at, int64_t size, int64_t* low, int64_t* high, float* part) {
  at = std::min(std::max(at, 0.0f), float(size - 1));
  float whole = std::floor(at);
  *part = at - whole;
  *low = int64_t(whole);
  *high = std::min(*low + 1, size - 1);
}

}  // namespace

extern "C" {

// x: N H W C. A region has nine numbers: image, y and x of its origin, height, width, cosine and sine of its turn, and how many rows
// and columns of samples a bin has. centre: the origin's place, as a share of the sides. y: R C rows columns.
void align(const float* x, const float* regions, float* y, int64_t count, int64_t channels, int64_t h, int64_t w,
           int64_t rows, int64_t columns, float centre, int64_t last, int64_t threads) {
  int64_t bins = rows * columns;
#pragma omp parallel num_threads(threads)
  {
    std::vector<Tap> taps;
    std::vector<float> held(bins * channels);
#pragma omp for schedule(dynamic, 4)
    for (int64_t r = 0; r < count; ++r) {
      const float* g = regions + 9 * r;
      const float* image = x + int64_t(g[0]) * h * w * channels;
      int64_t down = int64_t(g[7]), right = int64_t(g[8]);
      float each = 1 / std::max(float(down) * float(right), 1.0f);
      float* sums = last ? y + r * bins * channels : held.data();
      for (int64_t bin = 0; bin < bins; ++bin) {
        taps.clear();
        for (int64_t a = 0; a < down; ++a)
          for (int64_t b = 0; b < right; ++b) {
            float p = (float(bin / columns) + (a + 0.5f) / down) / rows - centre;
            float q = (float(bin % columns) + (b + 0.5f) / right) / columns - centre;
            float row = p * g[3] * g[5] - q * g[4] * g[6] + g[1], column = q * g[4] * g[5] + p * g[3] * g[6] + g[2];
            if (!(row >= -1 && row <= h && column >= -1 && column <= w)) continue;
            int64_t i0, i1, j0, j1;
            float i, j;
            neighbours(row, h, &i0, &i1, &i);
            neighbours(column, w, &j0, &j1, &j);
            taps.push_back({i0 * w + j0, each * (1 - i) * (1 - j)});
            taps.push_back({i0 * w + j1, each * (1 - i) * j});
            taps.push_back({i1 * w + j0, each * i * (1 - j)});
            taps.push_back({i1 * w + j1, each * i * j});
          }
        float* sum = sums + bin * channels;
        std::fill(sum, sum + channels, 0.0f);
        for (const Tap& tap : taps) {
          const float* from = image + tap.pixel * channels;
          float weight = tap.weight;
#pragma omp simd
          for (int64_t k = 0; k < channels; ++k) sum[k] += weight * from[k];
        }
      }
      if (!last)
        for (int64_t k = 0; k < channels; ++k)
          for (int64_t bin = 0; bin < bins; ++bin) y[(r * channels + k) * bins + bin] = sums[bin * channels + k];
    }
  }
}

// The maximum of x, N C H W, in each cell of a grid laid over each region, 0 of an empty cell, and its place, or -1.
// top, bottom: the first row of each row of cells, and the one behind its last; left, right: columns likewise.
void pool(const float* x, const int64_t* images, const int64_t* top, const int64_t* bottom, const int64_t* left,
          const int64_t* right, float* y, int32_t* places, int64_t count, int64_t channels, int64_t h, int64_t w,
          int64_t rows, int64_t columns, int64_t threads) {
#pragma omp parallel for num_threads(threads) schedule(dynamic, 1)
  for (int64_t r = 0; r < count; ++r)
    for (int64_t k = 0; k < channels; ++k) {
      const float* plane = x + (images[r] * channels + k) * h * w;
      for (int64_t i = 0; i < rows; ++i)
        for (int64_t j = 0; j < columns; ++j) {
          float best = 0;
          int64_t at = -1;
          for (int64_t a = top[r * rows + i]; a < bottom[r * rows + i]; ++a)
            for (int64_t b = left[r * columns + j]; b < right[r * columns + j]; ++b)
              if (at < 0 || plane[a * w + b] > best) best = plane[a * w + b], at = a * w + b;
          int64_t to = ((r * channels + k) * rows + i) * columns + j;
          y[to] = best;
          places[to] = int32_t(at);
        }
    }
}

}  // extern "C"
