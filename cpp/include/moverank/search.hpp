/// The search: one query, one corpus, the k nearest documents, and what is proved about them.
///
///     const SearchResult found = search(corpus, query, {.k = 10});
///
/// A few documents are solved first. The mean of their dual potentials for the query's tokens bounds every other
/// document, and what the bounds leave is solved in rising order of these, until the next exceeds the k-th distance
/// (Seidl, Kriegel, "Optimal multi-step k-nearest neighbor search", SIGMOD 1998). A budget ends it earlier; then the
/// least bound of what is left says what the answer is worth.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <vector>

#include "moverank/interrupt.hpp"
#include "moverank/nearest.hpp"
#include "moverank/prepared.hpp"
#include "moverank/searchable.hpp"

namespace moverank {

/// Documents that are likely to be near, and a lower bound on the distance of all that are not among them.
struct Candidates {
    std::vector<std::int64_t> positions;
    double bound = -std::numeric_limits<double>::infinity();
};

/// What finds candidates without looking at all tokens, such as a vector index or a first stage of retrieval.
class CandidateSource {
  public:
    virtual ~CandidateSource() = default;

    /// As many documents as asked for, nearest first, or fewer if it finds no more; each once, and only such as are
    /// searched. Called from the thread that called `search`; what it throws comes out of there.
    virtual Candidates nearest(std::size_t count) = 0;

  protected:
    CandidateSource() = default;
    CandidateSource(const CandidateSource&) = default;
    CandidateSource& operator=(const CandidateSource&) = default;
};

/// What is asked for, and what may be spent on it.
struct SearchGoal {
    std::size_t k = 10;
    /// Only documents at most this far away.
    double radius = std::numeric_limits<double>::infinity();
    /// The k-th distance may exceed the true one by a factor of up to 1 + slack. For costs that are not negative.
    double slack = 0.0;
    /// Rising positions of the documents that are searched; none: all.
    std::optional<std::span<const std::int64_t>> positions = {};

    /// At most so many documents are looked at, seeds included: the nearest by `source`, or, in a corpus with cheap
    /// bounds, by these.
    std::optional<std::size_t> budget = {};
    /// Time after which the best answer so far is returned. The costs of a vocabulary are always computed to the end.
    std::optional<std::chrono::duration<double>> timeout = {};

    /// Needed by a budget on a corpus without cheap bounds; not read where bounds are cheap.
    CandidateSource* source = nullptr;
    /// Whether the nearest of the source are good seeds. If not, bounds choose the seeds.
    bool source_gives_seeds = true;

    int n_threads = 0;  ///< 0: all cores
    /// Asked every 20 ms on the calling thread; ends the search by Interrupted when it returns true, or by what it
    /// throws.
    Interrupt::Poll stop = {};
};

/// One stage of a search.
enum class Stage {
    seeds,      ///< solved first, so that their potentials bound the others
    source,     ///< what the source of candidates left out
    one_sided,  ///< the cheap bound of bags
    bound,      ///< the bound from potentials, or from minima where there are none
    rebound,    ///< the same bound again, by the potentials of nearer seeds
    solver,     ///< solved in rising order of bounds
};

/// What a stage saw and dropped, and what it cost. What one stage leaves, the next sees; seeds drop nothing.
struct Rung {
    Stage stage;
    std::int64_t seen = 0;
    std::int64_t dropped = 0;
    double seconds = 0.0;  ///< of all threads together
};

/// What a search proved about its answer.
struct Certificate {
    /// The hits are the true answer: no document outside them is nearer.
    bool exact = false;
    /// No document that was not solved is nearer than this; infinite when there is none.
    double bound = std::numeric_limits<double>::infinity();
    /// Documents whose distance was not computed to the end.
    std::int64_t unsolved = 0;
    /// How many of the hits, from the first on, are certainly in the true answer.
    std::size_t certain = 0;
    /// By how much, relative to the true one, the k-th distance may be too large at most: 0 if exact, infinite if
    /// nothing is known, or if there is a radius.
    double error = 0.0;
};

struct SearchResult {
    /// Nearest first, ties by position: the k nearest, and all others at the k-th distance, so that whoever has other
    /// names for documents can say which of these to keep. The first k are an answer.
    std::vector<Hit> hits = {};
    Certificate certificate = {};
    std::vector<Rung> rungs = {};
    std::int64_t n_documents = 0;  ///< searched
    bool timed_out = false;
};

/// Throws std::invalid_argument for a goal that cannot be met, and SequenceError or std::invalid_argument for documents
/// or a query that cannot be measured. The answer does not depend on the number of threads.
[[nodiscard]] SearchResult search(const Searchable& corpus, const PreparedSequence& query, const SearchGoal& goal);

/// What hits prove: `distances` rise; no document outside them that was not solved is nearer than `bound`.
[[nodiscard]] Certificate certify(std::span<const double> distances, double bound, std::int64_t unsolved, std::size_t k,
                                  double radius = std::numeric_limits<double>::infinity());

}  // namespace moverank
