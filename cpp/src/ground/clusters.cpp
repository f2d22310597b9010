#include "moverank/clusters.hpp"

#include <algorithm>
#include <limits>
#include <numeric>
#include <vector>

#include "../preconditions.hpp"
#include "moverank/parallel.hpp"

namespace moverank {

namespace {

constexpr std::size_t documents_per_chunk = 16;
/// Iterations of Lloyd's algorithm. Centres start far apart, and the result only orders candidates.
constexpr int n_rounds = 4;

[[nodiscard]] float squared_distance(const float* x, const float* y, std::size_t dim) {
    // Eight sums, which compilers turn into vectors.
    float sums[8] = {};
    std::size_t k = 0;
    for (; k + 8 <= dim; k += 8) {
        for (std::size_t l = 0; l < 8; ++l) {
            const float difference = x[k + l] - y[k + l];
            sums[l] += difference * difference;
        }
    }
    for (; k < dim; ++k) {
        sums[0] += (x[k] - y[k]) * (x[k] - y[k]);
    }
    return std::accumulate(std::begin(sums), std::end(sums), 0.0F);
}

/// One thread's clustering of one document at a time.
class Clustering {
  public:
    explicit Clustering(GroundCost ground) : ground_(ground) {}

    std::size_t run(const PreparedSequence& document, std::size_t most, float* centroids, double* mass) {
        load(document);
        const std::size_t n_centres = choose_centres(document.mass, most, centroids);
        for (int round = 0; round < n_rounds; ++round) {
            assign(n_centres, centroids);
            average(document.mass, n_centres, centroids, mass);
        }
        return drop_empty(document.mass, n_centres, centroids, mass);
    }

  private:
    void load(const PreparedSequence& document) {
        n_ = document.size();
        dim_ = document.tokens.cols();
        tokens_.resize(n_ * dim_);
        decode(document.tokens, tokens_);
        if (ground_ == GroundCost::cosine) {
            for (std::size_t t = 0; t < n_; ++t) {
                for (std::size_t k = 0; k < dim_; ++k) {
                    tokens_[t * dim_ + k] *= document.inverse_norms[t];
                }
            }
        }
        cluster_.assign(n_, 0);
        distance_.assign(n_, std::numeric_limits<float>::infinity());
    }

    [[nodiscard]] const float* token(std::size_t t) const { return &tokens_[t * dim_]; }

    /// Start with the heaviest token, then add the token of largest mass times squared distance to the nearest centre:
    /// as in k-means++, but without randomness.
    std::size_t choose_centres(std::span<const double> mass, std::size_t most, float* centroids) {
        auto next = static_cast<std::size_t>(std::ranges::max_element(mass) - mass.begin());
        std::size_t n_centres = 0;
        while (n_centres < most) {
            std::copy_n(token(next), dim_, centroids + n_centres * dim_);
            ++n_centres;
            double largest = 0.0;
            for (std::size_t t = 0; t < n_; ++t) {
                distance_[t] = std::min(distance_[t], squared_distance(token(t), token(next), dim_));
            }
            for (std::size_t t = 0; t < n_; ++t) {
                const double pull = mass[t] * static_cast<double>(distance_[t]);
                if (pull > largest) {
                    largest = pull;
                    next = t;
                }
            }
            if (largest == 0.0) {
                break;  // every token is a centre already
            }
        }
        return n_centres;
    }

    void assign(std::size_t n_centres, const float* centroids) {
        for (std::size_t t = 0; t < n_; ++t) {
            float least = std::numeric_limits<float>::infinity();
            for (std::size_t c = 0; c < n_centres; ++c) {
                const float distance = squared_distance(token(t), centroids + c * dim_, dim_);
                if (distance < least) {
                    least = distance;
                    cluster_[t] = c;
                }
            }
        }
    }

    /// Move centres to the mass-weighted means of their tokens. A cluster without mass keeps its centre.
    void average(std::span<const double> token_mass, std::size_t n_centres, float* centroids, double* mass) {
        std::fill_n(mass, n_centres, 0.0);
        for (std::size_t t = 0; t < n_; ++t) {
            mass[cluster_[t]] += token_mass[t];
        }
        for (std::size_t c = 0; c < n_centres; ++c) {
            if (mass[c] > 0.0) {
                std::fill_n(centroids + c * dim_, dim_, 0.0F);
            }
        }
        for (std::size_t t = 0; t < n_; ++t) {
            const std::size_t c = cluster_[t];
            if (mass[c] > 0.0) {
                const auto share = static_cast<float>(token_mass[t] / mass[c]);
                for (std::size_t k = 0; k < dim_; ++k) {
                    centroids[c * dim_ + k] += share * token(t)[k];
                }
            }
        }
    }

    [[nodiscard]] bool has_direction(const float* centroid) const {
        return std::any_of(centroid, centroid + dim_, [](float x) { return x != 0.0F; });
    }

    std::size_t drop_empty(std::span<const double> token_mass, std::size_t n_centres, float* centroids,
                           double* mass) const {
        std::size_t kept = 0;
        for (std::size_t c = 0; c < n_centres; ++c) {
            if (mass[c] > 0.0) {
                if (ground_ == GroundCost::cosine && !has_direction(centroids + c * dim_)) {
                    // Opposite directions cancel, and a mean of 0 has no direction: one of the tokens replaces it.
                    std::size_t first = 0;
                    while (cluster_[first] != c || token_mass[first] == 0.0) {
                        ++first;
                    }
                    std::copy_n(token(first), dim_, centroids + c * dim_);
                }
                if (kept != c) {
                    std::copy_n(centroids + c * dim_, dim_, centroids + kept * dim_);
                    mass[kept] = mass[c];
                }
                ++kept;
            }
        }
        return kept;
    }

    GroundCost ground_;
    std::size_t n_ = 0, dim_ = 0;
    std::vector<float> tokens_, distance_;
    std::vector<std::size_t> cluster_;
};

}  // namespace

void cluster_tokens(const PreparedSequences& documents, std::size_t per_document, MatrixView<float> centroids,
                    std::span<double> mass, std::span<std::int64_t> n_clusters, int n_threads, Interrupt& interrupt) {
    const std::size_t n_rows = documents.size() * per_document;
    require(per_document > 0, "expected at least one cluster per document");
    require(centroids.rows() == n_rows && centroids.cols() == documents.dim() && centroids.stride() == documents.dim(),
            "expected contiguous room for all clusters of all documents, with the dimension of the tokens");
    require(mass.size() == n_rows && n_clusters.size() == documents.size(),
            "expected one mass per cluster and one count per document");
    const unsigned n_workers = thread_count(n_threads, documents.size());
    std::vector<Clustering> workers(n_workers, Clustering(documents.measure().ground));
    parallel_for(documents.size(), n_workers, documents_per_chunk, interrupt,
                 [&](unsigned w, std::size_t begin, std::size_t end) {
                     for (std::size_t s = begin; s < end; ++s) {
                         const std::size_t first = s * per_document;
                         n_clusters[s] = static_cast<std::int64_t>(
                             workers[w].run(documents[s], per_document, centroids.row(first), &mass[first]));
                     }
                 });
}

}  // namespace moverank
