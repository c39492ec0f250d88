// One step of an LSTM and of a GRU, and their gradients; a sequence of the batch is a row.
#include <cmath>
#include <cstdint>
#include <cstring>

namespace {

constexpr int64_t GRAIN = 1 << 14;

// exp(x) = 2^n exp(r) with |r| <= ln 2 / 2, whose Taylor series is cut after r^7: right to 2 units in the last place.
inline float exponential(float x) {
  constexpr float LIFT = 12582912.0f;  // added and taken away it leaves a whole number
  x = x < -87.0f ? -87.0f : x > 88.0f ? 88.0f : x;
  float n = x * 1.44269504f + LIFT - LIFT, r = x - n * 0.693359375f + n * 2.12194440e-4f;
  float y = 1 / 5040.0f;
  y = y * r + 1 / 720.0f;
  y = y * r + 1 / 120.0f;
  y = y * r + 1 / 24.0f;
  y = y * r + 1 / 6.0f;
  y = y * r + 1 / 2.0f;
  y = y * r + 1;
  y = y * r + 1;
  int32_t bits = (static_cast<int32_t>(n) + 127) << 23;
  float scale;
  std::memcpy(&scale, &bits, sizeof scale);
  return y * scale;
}

inline float sigmoid(float x) { return 1 / (1 + exponential(-x)); }

// Near 0, where 2 sigmoid(2x) - 1 cancels, the Taylor series.
inline float tangent(float x) {
  float s = x * x, far = 2 * sigmoid(2 * x) - 1;
  float near = x * (1 + s * (-1 / 3.0f + s * (2 / 15.0f + s * (-17 / 315.0f + s * (62 / 2835.0f)))));
  return std::fabs(x) < 0.3f ? near : far;
}

inline void hold(const float* from, float* to, int64_t d, bool drop) {
  if (drop)
    std::memset(to, 0, d * sizeof(float));
  else
    std::memcpy(to, from, d * sizeof(float));
}

// Calls ended(b) or goes_on(b) for every sequence b; all go on where there are no lengths.
template <class Ended, class GoesOn>
void each(const int32_t* lengths, int64_t n, int64_t d, int64_t t, int64_t threads, Ended ended, GoesOn goes_on) {
#pragma omp parallel for num_threads(threads) if (threads > 1 && n * d >= GRAIN)
  for (int64_t b = 0; b < n; ++b)
    if (lengths && lengths[b] <= t)
      ended(b);
    else
      goes_on(b);
}

}  // namespace

extern "C" {

void lstm_unit(const float* hidden, const float* cell, const float* gates, const int32_t* lengths, float* new_hidden,
               float* new_cell, int64_t n, int64_t d, int64_t t, int64_t drop, float bias, int64_t threads) {
  each(
      lengths, n, d, t, threads,
      [=](int64_t b) {
        hold(hidden + b * d, new_hidden + b * d, d, drop);
        hold(cell + b * d, new_cell + b * d, d, drop);
      },
      [=](int64_t b) {
        const float *c = cell + b * d, *i = gates + b * 4 * d, *f = i + d, *o = f + d, *g = o + d;
        float *to_h = new_hidden + b * d, *to_c = new_cell + b * d;
#pragma omp simd
        for (int64_t k = 0; k < d; ++k) {
          float made = sigmoid(f[k] + bias) * c[k] + sigmoid(i[k]) * tangent(g[k]);
          to_c[k] = made;
          to_h[k] = sigmoid(o[k]) * tangent(made);
        }
      });
}

void lstm_unit_gradient(const float* cell, const float* gates, const int32_t* lengths, const float* new_cell,
                        const float* d_new_hidden, const float* d_new_cell, float* d_hidden, float* d_cell,
                        float* d_gates, int64_t n, int64_t d, int64_t t, int64_t drop, float bias, int64_t threads) {
  each(
      lengths, n, d, t, threads,
      [=](int64_t b) {
        hold(d_new_hidden + b * d, d_hidden + b * d, d, drop);
        hold(d_new_cell + b * d, d_cell + b * d, d, drop);
        std::memset(d_gates + b * 4 * d, 0, 4 * d * sizeof(float));
      },
      [=](int64_t b) {
        const float *c = cell + b * d, *i = gates + b * 4 * d, *f = i + d, *o = f + d, *g = o + d;
        const float *made = new_cell + b * d, *dh = d_new_hidden + b * d, *dc = d_new_cell + b * d;
        float *to_c = d_cell + b * d, *di = d_gates + b * 4 * d, *df = di + d, *d_o = df + d, *dg = d_o + d;
        std::memset(d_hidden + b * d, 0, d * sizeof(float));
#pragma omp simd
        for (int64_t k = 0; k < d; ++k) {
          float in = sigmoid(i[k]), keep = sigmoid(f[k] + bias), out = sigmoid(o[k]), fresh = tangent(g[k]);
          float shown = tangent(made[k]), inner = dc[k] + dh[k] * out * (1 - shown * shown);
          di[k] = inner * fresh * in * (1 - in);
          df[k] = inner * c[k] * keep * (1 - keep);
          d_o[k] = dh[k] * shown * out * (1 - out);
          dg[k] = inner * in * (1 - fresh * fresh);
          to_c[k] = inner * keep;
        }
      });
}

void gru_unit(const float* hidden, const float* gates, const int32_t* lengths, float* new_hidden, int64_t n, int64_t d,
              int64_t t, int64_t drop, int64_t threads) {
  each(
      lengths, n, d, t, threads, [=](int64_t b) { hold(hidden + b * d, new_hidden + b * d, d, drop); },
      [=](int64_t b) {
        const float *h = hidden + b * d, *u = gates + b * 3 * d + d, *o = u + d;
        float* to = new_hidden + b * d;
#pragma omp simd
        for (int64_t k = 0; k < d; ++k) {
          float fresh = tangent(o[k]);
          to[k] = fresh + sigmoid(u[k]) * (h[k] - fresh);
        }
      });
}

void gru_unit_gradient(const float* hidden, const float* gates, const int32_t* lengths, const float* d_new_hidden,
                       float* d_hidden, float* d_gates, int64_t n, int64_t d, int64_t t, int64_t drop,
                       int64_t threads) {
  each(
      lengths, n, d, t, threads,
      [=](int64_t b) {
        hold(d_new_hidden + b * d, d_hidden + b * d, d, drop);
        std::memset(d_gates + b * 3 * d, 0, 3 * d * sizeof(float));
      },
      [=](int64_t b) {
        const float *h = hidden + b * d, *u = gates + b * 3 * d + d, *o = u + d, *dh = d_new_hidden + b * d;
        float *to = d_hidden + b * d, *dr = d_gates + b * 3 * d, *du = dr + d, *d_o = du + d;
        std::memset(dr, 0, d * sizeof(float));
#pragma omp simd
        for (int64_t k = 0; k < d; ++k) {
          float keep = sigmoid(u[k]), fresh = tangent(o[k]);
          du[k] = dh[k] * (h[k] - fresh) * keep * (1 - keep);
          d_o[k] = dh[k] * (1 - keep) * (1 - fresh * fresh);
          to[k] = dh[k] * keep;
        }
      });
}

}  // extern "C"
