// Prefix beam search: the likeliest label sequences of connectionist temporal classification; label 0 is the blank.
#include <algorithm>
#include <cstdint>
#include <unordered_map>
#include <utility>
#include <vector>

namespace {

// Sequences of labels as numbers: each is another one and a label more; 0 is the empty one.
struct Prefixes {
  std::vector<int32_t> shorter{-1}, label{0};
  std::unordered_map<uint64_t, int32_t> made;

  int32_t longer(int32_t prefix, int32_t l) {
    auto found = made.try_emplace(uint64_t(uint32_t(prefix)) << 32 | uint32_t(l), int32_t(label.size()));
    if (found.second) shorter.push_back(prefix), label.push_back(l);
    return found.first->second;
  }

  std::vector<int32_t> spelled(int32_t prefix) const {
    std::vector<int32_t> labels;
    for (; prefix; prefix = shorter[prefix]) labels.push_back(label[prefix]);
    std::reverse(labels.begin(), labels.end());
    return labels;
  }
};

struct Chance {
  float blank = 0, label = 0;  // of all alignments that end in a blank, in the last label
  float sum() const { return blank + label; }
};

struct Candidate {
  float score;
  int32_t row, column;  // a prefix of the beam, and the place of the label it grows by, or -1
  Chance chance;
};

struct Search {
  int64_t labels;
  float threshold;
  Prefixes prefixes;
  std::vector<int32_t> beam{0}, origin{-1}, kept, before, place;  // place: of each label among those kept, or -1
  std::vector<int32_t> row_of{0};                                 // of each prefix in the beam, or -1
  std::vector<Chance> chance{{1, 0}}, grown, earlier, left;       // grown: [beam][kept]; earlier: the last frame's
  std::vector<int32_t> left_beam;                                 // the last frame's beam, with the chances `left`
  std::vector<Candidate> found;

  Search(int64_t labels, float threshold) : labels(labels), threshold(threshold), place(labels, -1) {}

  // The chances that the beam's prefixes, one kept label longer, had after the last frame: in the beam or not.
  void recall(std::vector<Chance>& out) {
    int64_t n = kept.size(), m = before.size();
    out.assign(beam.size() * n, {});
    for (int64_t j = 0; j < m; ++j) {
      int32_t at = place[before[j]];
      if (at < 0) continue;
      for (size_t k = 0; k < beam.size(); ++k)
        if (origin[k] >= 0) out[k * n + at] = earlier[origin[k] * m + j];
    }
    for (size_t q = 0; q < left_beam.size(); ++q) {
      int32_t prefix = left_beam[q], at = place[prefixes.label[prefix]];
      int32_t row = prefix ? row_of[prefixes.shorter[prefix]] : -1;
      if (row >= 0 && at >= 0) out[row * n + at] = left[q];
    }
  }

  void look(const float* p) {
    kept.clear();
    bool blank = p[0] > threshold, any = blank;
    for (int32_t l = 1; l < labels; ++l)
      if (p[l] > threshold) kept.push_back(l), any = true;
    if (!any) {
      blank = true;
      for (int32_t l = 1; l < labels; ++l) kept.push_back(l);
    }
    std::fill(place.begin(), place.end(), -1);
    int64_t n = kept.size(), size = beam.size();
    for (int64_t j = 0; j < n; ++j) place[kept[j]] = j;
    recall(grown);
    std::vector<Chance> same(size);
    std::vector<char> alive(size, blank), apart(size * n, 1);
    std::vector<float> fresh(size * n);
    for (int64_t k = 0; k < size; ++k) {
      int32_t last = prefixes.label[beam[k]], at = place[last];
      if (blank) same[k].blank = p[0] * chance[k].sum();
      if (at >= 0) same[k].label = p[last] * chance[k].label, alive[k] = 1;
      for (int64_t j = 0; j < n; ++j) {
        float c = p[kept[j]] * (j == at ? chance[k].blank : chance[k].sum());
        Chance& was = grown[k * n + j];
        fresh[k * n + j] = c;
        was = {p[0] * was.sum(), c + p[kept[j]] * was.label};
      }
    }
    for (int64_t k = 0; k < size; ++k) {
      int32_t prefix = beam[k], at = place[prefixes.label[prefix]];
      int32_t row = prefix ? row_of[prefixes.shorter[prefix]] : -1;
      if (row < 0 || at < 0) continue;
      same[k].label += fresh[row * n + at];
      apart[row * n + at] = 0;
    }
    found.clear();
    for (int32_t k = 0; k < size; ++k) {
      if (alive[k]) found.push_back({same[k].sum(), k, -1, same[k]});
      for (int32_t j = 0; j < n; ++j)
        if (apart[k * n + j]) found.push_back({grown[k * n + j].sum(), k, j, grown[k * n + j]});
    }
    left_beam = beam;
    left = std::move(same);
  }

  std::vector<int32_t> spelled(const Candidate& c) const {
    std::vector<int32_t> labels = prefixes.spelled(beam[c.row]);
    if (c.column >= 0) labels.push_back(kept[c.column]);
    return labels;
  }

  // Leaves the `most` best candidates, best first, of equals the first in the order of their labels.
  void choose(int64_t most) {
    auto better = [this](const Candidate& a, const Candidate& b) {
      return a.score != b.score ? a.score > b.score : spelled(a) < spelled(b);
    };
    auto end = found.begin() + std::min<int64_t>(most, found.size());
    std::partial_sort(found.begin(), end, found.end(), better);
    found.erase(end, found.end());
  }

  void move() {
    for (int32_t prefix : beam) row_of[prefix] = -1;
    std::vector<int32_t> next;
    chance.clear(), origin.clear();
    for (const Candidate& c : found) {
      next.push_back(c.column < 0 ? beam[c.row] : prefixes.longer(beam[c.row], kept[c.column]));
      chance.push_back(c.chance);
      origin.push_back(c.column < 0 ? c.row : -1);
    }
    row_of.resize(prefixes.label.size(), -1);
    beam = std::move(next);
    for (size_t k = 0; k < beam.size(); ++k) row_of[beam[k]] = k;
    before = kept;
    std::swap(earlier, grown);
  }
};

}  // namespace

extern "C" {

// frames: [steps, batch, labels]; sizes, chances: [batch, count], zeros; values: [batch, count, steps].
void beam_search(const float* frames, const int32_t* lengths, int64_t steps, int64_t batch, int64_t labels,
                 int64_t width, int64_t count, float threshold, int32_t* sizes, float* chances, int32_t* values,
                 int64_t threads) {
#pragma omp parallel for num_threads(threads) schedule(dynamic)
  for (int64_t b = 0; b < batch; ++b) {
    Search search(labels, threshold);
    for (int64_t t = 0; t < lengths[b]; ++t) {
      search.look(frames + (t * batch + b) * labels);
      bool last = t + 1 == lengths[b];
      search.choose(last ? count : width);
      if (!last) search.move();
    }
    for (size_t k = 0; k < search.found.size(); ++k) {
      std::vector<int32_t> spelled = search.spelled(search.found[k]);
      int64_t at = b * count + k;
      sizes[at] = spelled.size();
      chances[at] = search.found[k].score;
      std::copy(spelled.begin(), spelled.end(), values + at * steps);
    }
  }
}

}  // extern "C"
