// Suppression of upright boxes that overlap a better one.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace {

struct Sides {
  std::vector<float> x1, y1, x2, y2, area;
};

// Keeps places of boxes in `out`; answers how many.
int64_t greedy(const float* boxes, int64_t n, float limit, int64_t most, float plus, int64_t* out, Sides& s) {
  for (auto* v : {&s.x1, &s.y1, &s.x2, &s.y2, &s.area}) v->resize(n);
  for (int64_t i = 0; i < n; ++i) {
    const float* b = boxes + 4 * i;
    s.x1[i] = b[0], s.y1[i] = b[1], s.x2[i] = b[2], s.y2[i] = b[3];
    s.area[i] = (b[2] - b[0] + plus) * (b[3] - b[1] + plus);
  }
  std::vector<int32_t> alive(n, 1);
  const float *x1 = s.x1.data(), *y1 = s.y1.data(), *x2 = s.x2.data(), *y2 = s.y2.data(), *area = s.area.data();
  int32_t* left = alive.data();
  int64_t count = 0;
  for (int64_t i = 0; i < n && count != most; ++i) {
    if (!left[i]) continue;
    out[count++] = i;
    float a = x1[i], b = y1[i], c = x2[i], d = y2[i], own = area[i];
#pragma omp simd
    for (int64_t j = i + 1; j < n; ++j) {
      float w = std::min(c, x2[j]) - std::max(a, x1[j]) + plus, h = std::min(d, y2[j]) - std::max(b, y1[j]) + plus;
      float both = (w > 0 ? w : 0) * (h > 0 ? h : 0);
      left[j] &= both / (own + area[j] - both) <= limit;
    }
  }
  return count;
}

// Keeps places in the order they are picked, lowering scores; answers how many.
int64_t soft(const float* boxes, float* scores, int64_t n, bool gaussian, float sigma, float limit, float least,
             float plus, int64_t* out) {
  std::vector<int64_t> pending(n);
  for (int64_t i = 0; i < n; ++i) pending[i] = i;
  int64_t count = 0;
  while (n) {
    int64_t best = 0;
    for (int64_t i = 1; i < n; ++i)
      if (scores[pending[i]] > scores[pending[best]]) best = i;
    std::swap(pending[0], pending[best]);
    const float* p = boxes + 4 * pending[0];
    out[count++] = pending[0];
    float own = (p[2] - p[0] + plus) * (p[3] - p[1] + plus);
    int64_t left = 0;
    for (int64_t i = 1; i < n; ++i) {
      const float* q = boxes + 4 * pending[i];
      float w = std::max(std::min(p[2], q[2]) - std::max(p[0], q[0]) + plus, 0.0f);
      float h = std::max(std::min(p[3], q[3]) - std::max(p[1], q[1]) + plus, 0.0f);
      float both = w * h, o = both / (own + (q[2] - q[0] + plus) * (q[3] - q[1] + plus) - both);
      float& score = scores[pending[i]];
      score *= gaussian ? std::exp(-o * o / sigma) : o > limit ? 1 - o : 1;
      if (score >= least) pending[left++] = pending[i];
    }
    n = left;
  }
  return count;
}

}  // namespace

extern "C" {

// Groups of boxes, best first, one after another; places and counts of those kept, each group's in its own part.
void suppress(const float* boxes, const int64_t* starts, int64_t groups, float limit, int64_t most, float plus,
              int64_t* kept, int64_t* counts, int64_t threads) {
  if (starts[groups] < 1 << 10) threads = 1;
#pragma omp parallel num_threads(threads)
  {
    Sides sides;
#pragma omp for schedule(dynamic)
    for (int64_t g = 0; g < groups; ++g)
      counts[g] = greedy(boxes + 4 * starts[g], starts[g + 1] - starts[g], limit, most, plus, kept + starts[g], sides);
  }
}

// Of the boxes of each group the best scored one again and again, each lowering the scores of those that overlap it.
void soften(const float* boxes, float* scores, const int64_t* starts, int64_t groups, int64_t gaussian, float sigma,
            float limit, float least, float plus, int64_t* kept, int64_t* counts, int64_t threads) {
  if (starts[groups] < 1 << 9) threads = 1;
#pragma omp parallel for num_threads(threads) schedule(dynamic)
  for (int64_t g = 0; g < groups; ++g)
    counts[g] = soft(boxes + 4 * starts[g], scores + starts[g], starts[g + 1] - starts[g], gaussian, sigma, limit,
                     least, plus, kept + starts[g]);
}

}  // extern "C"
