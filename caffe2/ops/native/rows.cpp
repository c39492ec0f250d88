// Rows of tables that indices name: assigned, added to, and changed by optimizers. A row that comes again is changed
// again, in the indices' order: every thread goes through all of them and changes the rows that are its own.
#include <cmath>
#include <cstdint>
#include <cstring>

namespace {

constexpr int64_t AHEAD = 8, GRAIN = 1 << 14;

// Calls change(i, row) for every index i; runs of 16 rows belong to one thread. touch(row) is called some time before.
template <class Touch, class Change>
void each_row(const void* indices, int64_t wide, int64_t n, int64_t width, int64_t threads, Touch touch, Change change) {
  auto row = [=](int64_t i) {
    return wide ? static_cast<const int64_t*>(indices)[i] : int64_t(static_cast<const int32_t*>(indices)[i]);
  };
  if (n * width < GRAIN) threads = 1;
#pragma omp parallel for num_threads(threads) schedule(static, 1)
  for (int64_t mine = 0; mine < threads; ++mine) {
    for (int64_t i = 0; i < n; ++i) {
      if (i + AHEAD < n) {
        int64_t later = row(i + AHEAD);
        if ((later >> 4) % threads == mine) touch(later);
      }
      int64_t r = row(i);
      if ((r >> 4) % threads == mine) change(i, r);
    }
  }
}

inline void fetch(const float* row, int64_t width) {
  for (int64_t k = 0; k < width; k += 16) __builtin_prefetch(row + k, 1);
}

inline float mean_square(const float* g, const float* w, int64_t width, float decay) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t k = 0; k < width; ++k) {
    float x = g[k] + decay * w[k];
    sum += x * x;
  }
  return sum / width;
}

}  // namespace

extern "C" {

// place: which row of grad goes with an index; null where it is its own.
void adagrad(float* param, float* moment, const void* indices, int64_t wide, const float* grad, const int64_t* place,
             int64_t n, int64_t width, float lr, float epsilon, float decay, int64_t threads) {
  each_row(
      indices, wide, n, width, threads,
      [=](int64_t r) {
        fetch(param + r * width, width);
        fetch(moment + r * width, width);
      },
      [=](int64_t i, int64_t r) {
        const float* g = grad + (place ? place[i] : i) * width;
        float *w = param + r * width, *h = moment + r * width;
#pragma omp simd
        for (int64_t k = 0; k < width; ++k) {
          float x = g[k] + decay * w[k];
          h[k] += x * x;
          w[k] += lr / (std::sqrt(h[k]) + epsilon) * x;
        }
      });
}

void row_wise_adagrad(float* param, float* moment, const void* indices, int64_t wide, const float* grad,
                      const int64_t* place, int64_t n, int64_t width, float lr, float epsilon, float decay,
                      int64_t threads) {
  each_row(
      indices, wide, n, width, threads,
      [=](int64_t r) {
        fetch(param + r * width, width);
        fetch(moment + r, 1);
      },
      [=](int64_t i, int64_t r) {
        const float* g = grad + (place ? place[i] : i) * width;
        float* w = param + r * width;
        float h = moment[r] += mean_square(g, w, width, decay);
        float rate = lr / (std::sqrt(h) + epsilon);
#pragma omp simd
        for (int64_t k = 0; k < width; ++k) w[k] += rate * (g[k] + decay * w[k]);
      });
}

// step: one row an index, or null. The step is scale * m, divided by sqrt(v) + epsilon unless `plain`.
void adam(float* param, float* first, float* second, const void* indices, int64_t wide, const float* grad, float* step,
          int64_t n, int64_t width, float lr, float beta1, float beta2, float epsilon, float scale, int64_t plain,
          int64_t row_wise, int64_t threads) {
  each_row(
      indices, wide, n, width, threads,
      [=](int64_t r) {
        fetch(param + r * width, width);
        fetch(first + r * width, width);
        row_wise ? fetch(second + r, 1) : fetch(second + r * width, width);
      },
      [=](int64_t i, int64_t r) {
        const float* g = grad + i * width;
        float *w = param + r * width, *m = first + r * width, *out = step ? step + i * width : nullptr;
        float one = 0;
        if (row_wise) {
          float& v = second[r];
          v += (1 - beta2) * (mean_square(g, w, width, 0) - v);
          one = scale / (std::sqrt(v) + epsilon);
        }
        float* v = row_wise ? nullptr : second + r * width;
#pragma omp simd
        for (int64_t k = 0; k < width; ++k) m[k] += (1 - beta1) * (g[k] - m[k]);
        if (v) {
#pragma omp simd
          for (int64_t k = 0; k < width; ++k) v[k] += (1 - beta2) * (g[k] * g[k] - v[k]);
        }
        if (v && !plain) {
#pragma omp simd
          for (int64_t k = 0; k < width; ++k) w[k] += lr * (m[k] / (std::sqrt(v[k]) + epsilon) * scale);
          if (out)
            for (int64_t k = 0; k < width; ++k) out[k] = m[k] / (std::sqrt(v[k]) + epsilon) * scale;
        } else {
          float s = plain ? scale : one;
#pragma omp simd
          for (int64_t k = 0; k < width; ++k) w[k] += lr * (m[k] * s);
          if (out)
            for (int64_t k = 0; k < width; ++k) out[k] = m[k] * s;
        }
      });
}

// m = mu m + lr g, and then g = m, or with nesterov g = lr g + mu m; param -= g.
void momentum(float* param, float* moment, const void* indices, int64_t wide, float* grad, int64_t n, int64_t width,
              float lr, float mu, int64_t nesterov, int64_t threads) {
  each_row(
      indices, wide, n, width, threads,
      [=](int64_t r) {
        fetch(param + r * width, width);
        fetch(moment + r * width, width);
      },
      [=](int64_t i, int64_t r) {
        float *g = grad + i * width, *w = param + r * width, *m = moment + r * width, own = nesterov ? lr : 0;
        float more = nesterov ? mu : 1;
#pragma omp simd
        for (int64_t k = 0; k < width; ++k) {
          m[k] = mu * m[k] + lr * g[k];
          g[k] = own * g[k] + more * m[k];
          w[k] -= g[k];
        }
      });
}

// one_hots[s, indices[i]] = 1 for every index i of segment s, which ends before ends[s]; 0 elsewhere.
void one_hot(const int64_t* indices, const int64_t* ends, int64_t segments, int64_t size, float* one_hots,
             int64_t threads) {
  if (segments * size < GRAIN) threads = 1;
#pragma omp parallel for num_threads(threads) schedule(static)
  for (int64_t s = 0; s < segments; ++s) {
    float* row = one_hots + s * size;
    std::memset(row, 0, size * sizeof(float));
    for (int64_t i = s ? ends[s - 1] : 0; i < ends[s]; ++i) row[indices[i]] = 1;
  }
}

// table[indices[i]] = rows[i], of `size` bytes each; of several the last is kept.
void assign(char* table, const void* indices, int64_t wide, const char* rows, int64_t n, int64_t size, int64_t threads) {
  each_row(
      indices, wide, n, size, threads, [=](int64_t r) { __builtin_prefetch(table + r * size, 1); },
      [=](int64_t i, int64_t r) { std::memcpy(table + r * size, rows + i * size, size); });
}

// table[indices[i]] *= factor for every i, where `rows` is null; else += factor * rows[i].
void accumulate(float* table, const void* indices, int64_t wide, const float* rows, int64_t n, int64_t width,
                float factor, int64_t threads) {
  each_row(
      indices, wide, n, width, threads, [=](int64_t r) { fetch(table + r * width, width); },
      [=](int64_t i, int64_t r) {
        float* to = table + r * width;
        if (rows) {
          const float* from = rows + i * width;
#pragma omp simd
          for (int64_t k = 0; k < width; ++k) to[k] += factor * from[k];
        } else {
#pragma omp simd
          for (int64_t k = 0; k < width; ++k) to[k] *= factor;
        }
      });
}

}  // extern "C"
