// Images N C L, channel by channel: normalization by their statistics, and slopes for what is negative.
#include <cmath>
#include <cstdint>

extern "C" {

// y = (x - mean) / sqrt(var + epsilon) * scale + bias, with the mean and the variance, not unbiased, of each channel.
void batch_norm(const float* x, const float* scale, const float* bias, float* y, float* mean, float* var,
                int64_t images, int64_t channels, int64_t length, float epsilon, int64_t threads) {
  if (images * channels * length < 1 << 14) threads = 1;
#pragma omp parallel for num_threads(threads) schedule(static)
  for (int64_t c = 0; c < channels; ++c) {
    double sum = 0, squares = 0;
    for (int64_t n = 0; n < images; ++n) {
      const float* from = x + (n * channels + c) * length;
      float part = 0;
#pragma omp simd reduction(+ : part)
      for (int64_t k = 0; k < length; ++k) part += from[k];
      sum += part;
    }
    float centre = float(sum / (images * length));
    for (int64_t n = 0; n < images; ++n) {
      const float* from = x + (n * channels + c) * length;
      float part = 0;
#pragma omp simd reduction(+ : part)
      for (int64_t k = 0; k < length; ++k) part += (from[k] - centre) * (from[k] - centre);
      squares += part;
    }
    mean[c] = centre;
    var[c] = float(squares / (images * length));
    float slope = scale[c] / std::sqrt(var[c] + epsilon), shift = bias[c];
    for (int64_t n = 0; n < images; ++n) {
      const float* from = x + (n * channels + c) * length;
      float* to = y + (n * channels + c) * length;
#pragma omp simd
      for (int64_t k = 0; k < length; ++k) to[k] = (from[k] - centre) * slope + shift;
    }
  }
}

// y = x where x > 0, slope * x elsewhere, with a slope a channel.
void prelu(const float* x, const float* slope, float* y, int64_t images, int64_t channels, int64_t length,
           int64_t threads) {
  if (images * channels * length < 1 << 15) threads = 1;
#pragma omp parallel for num_threads(threads) schedule(static)
  for (int64_t p = 0; p < images * channels; ++p) {
    const float* from = x + p * length;
    float *to = y + p * length, s = slope[p % channels];
#pragma omp simd
    for (int64_t k = 0; k < length; ++k) to[k] = from[k] * (from[k] > 0 ? 1 : s);
  }
}

}  // extern "C"
