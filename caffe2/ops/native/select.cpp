// The largest elements of rows, descending, of equals the first; NaN counts as larger than all numbers.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <vector>

namespace {

// Numbers that are ordered as (value, then earlier place first).
inline uint64_t key(float x, uint32_t place) {
  uint32_t bits;
  x += 0.0f;  // -0 equals 0
  std::memcpy(&bits, &x, 4);
  bits = std::isnan(x) ? ~0u : bits & 0x80000000u ? ~bits : bits | 0x80000000u;
  return uint64_t(bits) << 32 | uint32_t(~place);
}

// Leaves the `most` largest keys in `held`, descending.
void largest(const float* x, int64_t n, int64_t most, std::vector<uint64_t>& held) {
  held.clear();
  size_t full = 2 * most + 64;
  float least = -INFINITY;
  bool bounded = false;
  for (int64_t i = 0; i < n; ++i) {
    if (bounded && x[i] <= least) continue;
    held.push_back(key(x[i], uint32_t(i)));
    if (held.size() == full) {
      std::nth_element(held.begin(), held.begin() + most - 1, held.end(), std::greater<>());
      held.resize(most);
      least = x[uint32_t(~held.back())];
      bounded = !std::isnan(least);
    }
  }
  int64_t kept = std::min<int64_t>(most, held.size());
  std::partial_sort(held.begin(), held.begin() + kept, held.end(), std::greater<>());
  held.resize(kept);
}

template <class Place>
void put(const float* x, int64_t n, int64_t k, float* values, Place* places, std::vector<uint64_t>& held) {
  largest(x, n, k, held);
  for (int64_t j = 0; j < k; ++j) {
    bool there = j < int64_t(held.size());
    uint32_t place = there ? uint32_t(~held[j]) : 0;
    values[j] = there ? x[place] : 0;
    places[j] = there ? Place(place) : Place(-1);
  }
}

}  // namespace

extern "C" {

void top_k(const float* x, int64_t rows, int64_t n, int64_t k, float* values, int64_t* places, int64_t threads) {
  if (rows * n < 1 << 13) threads = 1;
#pragma omp parallel num_threads(threads)
  {
    std::vector<uint64_t> held;
#pragma omp for schedule(static)
    for (int64_t r = 0; r < rows; ++r) put(x + r * n, n, k, values + r * k, places + r * k, held);
  }
}

// starts: where each segment begins, one more at the end.
void lengths_top_k(const float* x, const int64_t* starts, int64_t rows, int64_t k, float* values, int32_t* places,
                   int64_t threads) {
  if (starts[rows] < 1 << 13) threads = 1;
#pragma omp parallel num_threads(threads)
  {
    std::vector<uint64_t> held;
#pragma omp for schedule(static)
    for (int64_t r = 0; r < rows; ++r)
      put(x + starts[r], starts[r + 1] - starts[r], k, values + r * k, places + r * k, held);
  }
}

// right[r]: whether fewer than k elements of a row come before that of its label: larger ones, or equal ones before it.
void ahead(const float* x, const void* labels, int64_t wide, int64_t rows, int64_t n, int64_t k, float* right,
           int64_t threads) {
  if (rows * n < 1 << 15) threads = 1;
#pragma omp parallel for num_threads(threads) schedule(static)
  for (int64_t r = 0; r < rows; ++r) {
    int64_t label = wide ? static_cast<const int64_t*>(labels)[r] : int64_t(static_cast<const int32_t*>(labels)[r]);
    const float* row = x + r * n;
    float score = row[label];
    int64_t count = 0;
    for (int64_t j = 0; j < n && count < k; ++j) count += row[j] > score || (row[j] == score && j < label);
    right[r] = count < k;
  }
}

}  // extern "C"
