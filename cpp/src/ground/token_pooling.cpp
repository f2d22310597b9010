#include "moverank/token_pooling.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "../preconditions.hpp"
#include "moverank/ground_traits.hpp"
#include "moverank/parallel.hpp"
#include "norm.hpp"

namespace moverank {

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
/// Means shorter than this, as a share of their tokens' lengths, are what rounding leaves of tokens that cancel.
constexpr double shortest_mean = 1e-12;

[[nodiscard]] double squared_distance(const double* x, const double* y, std::size_t dim) {
    // Eight sums, which compilers turn into vectors.
    double sums[8] = {};
    std::size_t k = 0;
    for (; k + 8 <= dim; k += 8) {
        for (std::size_t l = 0; l < 8; ++l) {
            const double difference = x[k + l] - y[k + l];
            sums[l] += difference * difference;
        }
    }
    for (; k < dim; ++k) {
        sums[0] += (x[k] - y[k]) * (x[k] - y[k]);
    }
    return ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

/// What a token counts in a group: its mass, unless the measure lets each token of a document take all there is. Then
/// masses of documents do not matter, and only say which tokens take part.
class Share {
  public:
    explicit Share(const Measure& measure) : is_mass_(!std::isinf(measure.capacity)) {}

    [[nodiscard]] double operator()(double mass) const { return is_mass_ || mass == 0.0 ? mass : 1.0; }

  private:
    bool is_mass_;
};

/// Ward's method on one document at a time, for one thread. A cluster is known by its first token. Each remembers the
/// nearest of the clusters behind it, so a step looks at one number per cluster, and only few nearest ones change.
class Ward {
  public:
    Ward(const Measure& measure, Interrupt& interrupt)
        : by_direction_(traits(measure.ground).needs_directions), share_(measure), interrupt_(&interrupt) {}

    void group(const PreparedSequence& document, std::size_t n_groups, std::span<std::int32_t> pooled_into) {
        place_.clear();
        for (std::size_t t = 0; t < document.size(); ++t) {
            if (document.mass[t] > 0.0) {
                place_.push_back(t);
            }
        }
        n_ = place_.size();
        require(n_groups > 0 && n_groups <= n_, "expected from one group to as many as there are tokens with mass");
        parent_.resize(n_);
        for (std::size_t i = 0; i < n_; ++i) {
            parent_[i] = i;
        }
        if (n_groups < n_) {
            load(document);
            find_all_nearest();
            while (clusters_.size() > n_groups) {
                interrupt_->check();
                merge_nearest();
            }
        }
        number(pooled_into);
    }

  private:
    void load(const PreparedSequence& document) {
        dim_ = document.tokens.cols();
        decoded_.resize(dim_);
        centre_.resize(n_ * dim_);
        mass_.resize(n_);
        clusters_ = parent_;
        for (std::size_t i = 0; i < n_; ++i) {
            decode(document.tokens.run(place_[i], 1), decoded_);
            const double scale = by_direction_ ? norm_of(decoded_) : 1.0;
            std::ranges::transform(decoded_, &centre_[i * dim_],
                                   [scale](float x) { return static_cast<double>(x) / scale; });
            mass_[i] = share_(document.mass[place_[i]]);
        }
        is_tabled_ = n_ <= longest_tabled;
        if (is_tabled_) {
            table_.resize(n_ * (n_ - 1) / 2);
            for (std::size_t i = 0; i < n_; ++i) {
                interrupt_->check();
                for (std::size_t j = i + 1; j < n_; ++j) {
                    table_[entry(i, j)] = computed_cost(i, j);
                }
            }
        }
    }

    /// Place of clusters i < j in the table, which holds the rows of a triangle.
    [[nodiscard]] std::size_t entry(std::size_t i, std::size_t j) const { return i * (2 * n_ - i - 1) / 2 + j - i - 1; }

    /// What merging two clusters adds to the sum of mass times squared distance to the mean.
    [[nodiscard]] double computed_cost(std::size_t i, std::size_t j) const {
        const double share = mass_[j] / (mass_[i] + mass_[j]);
        return mass_[i] * share * squared_distance(&centre_[i * dim_], &centre_[j * dim_], dim_);
    }
    [[nodiscard]] double cost(std::size_t i, std::size_t j) const {
        return is_tabled_ ? table_[entry(i, j)] : computed_cost(i, j);
    }

    void find_all_nearest() {
        nearest_.resize(n_);
        nearest_cost_.resize(n_);
        for (std::size_t p = 0; p < n_; ++p) {
            find_nearest(p);
        }
    }

    /// Find the nearest of the clusters behind cluster number p.
    void find_nearest(std::size_t p) {
        if (!is_tabled_) {
            interrupt_->check();
        }
        const std::size_t i = clusters_[p];
        std::size_t nearest = i;
        double least = infinity;
        for (std::size_t q = p + 1; q < clusters_.size(); ++q) {
            const double found = cost(i, clusters_[q]);
            if (found < least) {
                least = found;
                nearest = clusters_[q];
            }
        }
        nearest_[i] = nearest;
        nearest_cost_[i] = least;
    }

    void merge_nearest() {
        std::size_t p = 0;
        for (std::size_t q = 1; q + 1 < clusters_.size(); ++q) {
            if (nearest_cost_[clusters_[q]] < nearest_cost_[clusters_[p]]) {
                p = q;
            }
        }
        const std::size_t a = clusters_[p];
        const std::size_t b = nearest_[a];
        merge(a, b);
        const auto gone = std::ranges::lower_bound(clusters_, b);
        const auto after = static_cast<std::size_t>(gone - clusters_.begin());
        clusters_.erase(gone);
        // No cluster is nearer to the union than it was to the nearer of the two: other nearest clusters remain.
        for (std::size_t q = 0; q < p; ++q) {
            const std::size_t i = clusters_[q];
            if (nearest_[i] == a || nearest_[i] == b) {
                find_nearest(q);
            }
        }
        find_nearest(p);
        for (std::size_t q = p + 1; q < after; ++q) {
            if (nearest_[clusters_[q]] == b) {
                find_nearest(q);
            }
        }
    }

    /// Let cluster a take in cluster b.
    void merge(std::size_t a, std::size_t b) {
        const double both = mass_[a] + mass_[b];
        if (is_tabled_) {
            const double own = cost(a, b);
            for (const std::size_t k : clusters_) {
                if (k != a && k != b) {
                    double& to_a = table_[entry(std::min(a, k), std::max(a, k))];
                    const double to_b = table_[entry(std::min(b, k), std::max(b, k))];
                    // The formula of Lance and Williams (1967).
                    const double sum = (mass_[k] + mass_[a]) * to_a + (mass_[k] + mass_[b]) * to_b - mass_[k] * own;
                    to_a = std::max(sum / (mass_[k] + both), 0.0);
                }
            }
        } else {
            const double share = mass_[b] / both;
            for (std::size_t k = 0; k < dim_; ++k) {
                centre_[a * dim_ + k] += share * (centre_[b * dim_ + k] - centre_[a * dim_ + k]);
            }
        }
        mass_[a] = both;
        parent_[b] = a;
    }

    void number(std::span<std::int32_t> pooled_into) {
        std::ranges::fill(pooled_into, -1);
        std::int32_t n_found = 0;
        for (std::size_t i = 0; i < n_; ++i) {
            // A cluster is known by its first token, so the number of a parent is known by then.
            pooled_into[place_[i]] = parent_[i] == i ? n_found++ : pooled_into[place_[parent_[i]]];
        }
    }

    bool by_direction_;
    Share share_;
    Interrupt* interrupt_;
    std::size_t n_ = 0, dim_ = 0;
    bool is_tabled_ = false;
    std::vector<std::size_t> place_;     ///< of tokens with mass, in the document
    std::vector<std::size_t> parent_;    ///< the cluster that took in the one known by this token
    std::vector<std::size_t> clusters_;  ///< that are left, rising
    std::vector<std::size_t> nearest_;
    std::vector<float> decoded_;
    std::vector<double> centre_, mass_, table_, nearest_cost_;
};

/// Vectors of the groups of one document at a time, for one thread.
class GroupMeans {
  public:
    explicit GroupMeans(const Measure& measure)
        : by_direction_(traits(measure.ground).needs_directions),
          keeps_length_(!traits(measure.ground).translation_invariant),
          share_(measure) {}

    void write(const PreparedSequence& document, std::span<const std::int32_t> pooled_into, MatrixView<float> out) {
        sum_up(document, pooled_into, out.rows());
        for (std::size_t g = 0; g < out.rows(); ++g) {
            Group& group = groups_[g];
            require(group.n_tokens > 0, "expected a token with mass in every group");
            if (group.n_tokens > 1 && write_mean(g, group, out)) {
                continue;
            }
            std::copy_n(&tokens_[group.heaviest * dim_], dim_, out.row(g));
        }
    }

  private:
    struct Group {
        std::size_t n_tokens = 0, heaviest = 0;
        double mass = 0.0, largest_mass = 0.0, length = 0.0;  ///< the mean length
    };

    /// Running means, so that masses of any size keep their digits, and equal tokens have exactly their mean.
    void sum_up(const PreparedSequence& document, std::span<const std::int32_t> pooled_into, std::size_t n_groups) {
        dim_ = document.tokens.cols();
        tokens_.resize(document.size() * dim_);
        decode(document.tokens, tokens_);
        groups_.assign(n_groups, {});
        means_.assign(n_groups * dim_, 0.0);
        for (std::size_t t = 0; t < document.size(); ++t) {
            const double mass = share_(document.mass[t]);
            if (pooled_into[t] < 0 || !(mass > 0.0)) {
                continue;
            }
            const auto g = static_cast<std::size_t>(pooled_into[t]);
            require(g < n_groups, "expected tokens to be in a group of their document");
            Group& group = groups_[g];
            const float* token = &tokens_[t * dim_];
            double* mean = &means_[g * dim_];
            const double length = keeps_length_ ? norm_of({token, dim_}) : 1.0;
            const double scale = by_direction_ ? length : 1.0;
            group.mass += mass;
            const double share = mass / group.mass;
            for (std::size_t k = 0; k < dim_; ++k) {
                mean[k] += share * (static_cast<double>(token[k]) / scale - mean[k]);
            }
            group.length += share * (length - group.length);
            ++group.n_tokens;
            if (mass > group.largest_mass) {
                group.largest_mass = mass;
                group.heaviest = t;
            }
        }
    }

    /// Write the mean of a group; false if it is to keep the length of its tokens and has no direction in float32.
    [[nodiscard]] bool write_mean(std::size_t g, const Group& group, MatrixView<float> out) const {
        const double* mean = &means_[g * dim_];
        double scale = 1.0;
        if (keeps_length_) {
            double squared = 0.0;
            for (std::size_t k = 0; k < dim_; ++k) {
                squared += mean[k] * mean[k];
            }
            const double own = std::sqrt(squared);
            if (!(own > shortest_mean * (by_direction_ ? 1.0 : group.length))) {
                return false;
            }
            scale = group.length / own;
        }
        bool is_zero = true;
        bool is_finite = true;
        for (std::size_t k = 0; k < dim_; ++k) {
            out(g, k) = static_cast<float>(mean[k] * scale);
            is_zero = is_zero && out(g, k) == 0.0F;
            is_finite = is_finite && std::isfinite(out(g, k));
        }
        return !keeps_length_ || (is_finite && !is_zero);
    }

    bool by_direction_;
    bool keeps_length_;
    Share share_;
    std::size_t dim_ = 0;
    std::vector<float> tokens_;
    std::vector<double> means_;
    std::vector<Group> groups_;
};

/// Number of groups of each document, and where they begin among all.
void require_groups(const PreparedSequences& documents, std::span<const std::int64_t> offsets, std::size_t n_tokens,
                    std::size_t n_groups) {
    require(offsets.size() == documents.size() + 1, "expected one offset per document, and their end");
    require_offsets(offsets, n_groups);
    require(n_tokens == documents.n_tokens(), "expected one group per token");
}

}  // namespace

std::vector<std::int64_t> pooled_offsets(const PreparedSequences& documents, double factor) {
    require(std::isfinite(factor) && factor >= 1.0, "expected a finite factor of at least 1");
    std::vector<std::int64_t> offsets(documents.size() + 1, 0);
    for (std::size_t s = 0; s < documents.size(); ++s) {
        const PreparedSequence document = documents[s];
        require(document.size() <= std::numeric_limits<std::int32_t>::max(), "a document has too many tokens");
        const auto n = std::ranges::count_if(document.mass, [](double mass) { return mass > 0.0; });
        offsets[s + 1] = offsets[s] + static_cast<std::int64_t>(std::ceil(static_cast<double>(n) / factor));
    }
    return offsets;
}

void group_tokens(const PreparedSequences& documents, std::span<const std::int64_t> offsets,
                  std::span<std::int32_t> pooled_into, int n_threads, Interrupt& interrupt) {
    require_groups(documents, offsets, pooled_into.size(),
                   static_cast<std::size_t>(offsets.empty() ? 0 : offsets.back()));
    const unsigned n_workers = thread_count(n_threads, documents.size());
    std::vector<Ward> workers(n_workers, Ward(documents.measure(), interrupt));
    parallel_for(documents.size(), n_workers, 1, interrupt, [&](unsigned w, std::size_t begin, std::size_t end) {
        for (std::size_t s = begin; s < end; ++s) {
            const PreparedSequence document = documents[s];
            workers[w].group(document, static_cast<std::size_t>(offsets[s + 1] - offsets[s]),
                             pooled_into.subspan(documents.first_token(s), document.size()));
        }
    });
}

void average_groups(const PreparedSequences& documents, std::span<const std::int64_t> offsets,
                    std::span<const std::int32_t> pooled_into, MatrixView<float> tokens, int n_threads,
                    Interrupt& interrupt) {
    require_groups(documents, offsets, pooled_into.size(), tokens.rows());
    require(tokens.cols() == documents.dim(), "expected room for vectors with the dimension of the tokens");
    const unsigned n_workers = thread_count(n_threads, documents.size());
    std::vector<GroupMeans> workers(n_workers, GroupMeans(documents.measure()));
    parallel_for(documents.size(), n_workers, 1, interrupt, [&](unsigned w, std::size_t begin, std::size_t end) {
        for (std::size_t s = begin; s < end; ++s) {
            const PreparedSequence document = documents[s];
            const auto first = static_cast<std::size_t>(offsets[s]);
            const auto n_groups = static_cast<std::size_t>(offsets[s + 1] - offsets[s]);
            workers[w].write(document, pooled_into.subspan(documents.first_token(s), document.size()),
                             {tokens.row(first), n_groups, tokens.cols(), tokens.stride()});
        }
    });
}

}  // namespace moverank
