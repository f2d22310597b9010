/// The search: one query, one corpus, the k nearest documents, and what is proved about them.
///
///     const SearchResult found = search(corpus, query, {.k = 10});
///
/// A few documents, the seeds, are solved first. The mean of their dual potentials gives a lower bound on the distance
/// of every other document. Documents are then solved in increasing order of their bounds, until the next bound exceeds
/// the k-th distance (Seidl, Kriegel, "Optimal multi-step k-nearest neighbor search", SIGMOD 1998). A budget or timeout
/// ends the search earlier; the least bound of the unsolved documents then says how good the answer is.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "moverank/interrupt.hpp"
#include "moverank/nearest.hpp"
#include "moverank/prepared.hpp"
#include "moverank/searchable.hpp"

namespace moverank {

/// Documents that are likely to be near, and a lower bound on the distance of all others.
struct Candidates {
    std::vector<std::int64_t> positions;
    double bound = -std::numeric_limits<double>::infinity();
};

/// Finds candidates without reading all tokens, such as a vector index or a first stage of retrieval.
class CandidateSource {
  public:
    virtual ~CandidateSource() = default;

    /// `count` documents, nearest first, or fewer if it finds no more. Each document at most once, and only documents
    /// that are searched. Called on the thread that called `search`, which lets its exceptions through.
    virtual Candidates nearest(std::size_t count) = 0;
    /// Its name in the statistics of a search.
    [[nodiscard]] virtual std::string name() const { return "candidates"; }

  protected:
    CandidateSource() = default;
    CandidateSource(const CandidateSource&) = default;
    CandidateSource& operator=(const CandidateSource&) = default;
};

/// What to find, and how much work may be spent on it.
struct SearchGoal {
    /// How many documents to find.
    std::size_t k = 10;
    /// Only find documents at most this far away, in units of the ground cost.
    double radius = std::numeric_limits<double>::infinity();
    /// At least 0: the k-th distance may exceed the true one by a factor of up to 1 + slack. Only for costs that are
    /// not negative.
    double slack = 0.0;
    /// Positions of the documents to search, in increasing order; by default all.
    std::optional<std::span<const std::int64_t>> positions = {};

    /// Examine at most this many documents, at least 1: the nearest by `source`, seeds included. On a corpus with cheap
    /// bounds, examine the nearest by these, after up to 64 seeds that are solved in any case.
    std::optional<std::size_t> budget = {};
    /// Return the best answer found by this time. The costs of a vocabulary are always computed to the end.
    std::optional<std::chrono::duration<double>> timeout = {};

    /// Number of seeds; by default at least 20, and enough for an answer. Each of several collections that are searched
    /// as one needs fewer.
    std::optional<std::size_t> n_seeds = {};

    /// Required by a budget on a corpus without cheap bounds; not used if bounds are cheap. Must outlive the call.
    CandidateSource* source = nullptr;
    /// Whether the nearest documents of the source are good seeds. If not, bounds choose the seeds.
    bool source_gives_seeds = true;

    int n_threads = 0;  ///< 0: all cores
    /// Called every 20 ms on the calling thread. If it returns true, the search throws Interrupted; if it throws, so
    /// does the search.
    Interrupt::Poll stop = {};
};

/// One stage of a search: how many documents it saw and dropped, and its cost. Each stage sees what the one before did
/// not drop. The first, "seeds, solved", drops nothing; the last is the "exact solver". Between them are the source of
/// candidates, if it chose documents, and the bounds by their names. If a corpus has one useful bound only, and it is
/// cheap, it comes again as "the same by near seeds".
struct Rung {
    std::string name;
    std::int64_t seen = 0;
    std::int64_t dropped = 0;
    double seconds = 0.0;  ///< summed over all threads
};

/// What a search proved about its answer.
struct Certificate {
    /// Whether the hits are the true answer: no document outside them is nearer.
    bool exact = false;
    /// No unsolved document is nearer than this; infinite if every document was solved.
    double bound = std::numeric_limits<double>::infinity();
    /// Number of documents whose distance was not computed to the end.
    std::int64_t unsolved = 0;
    /// How many of the hits, counted from the first, are certainly in the true answer.
    std::size_t certain = 0;
    /// Largest possible relative error of the k-th distance, which can only be too large: 0 if exact, infinite if
    /// nothing is known or if there is a radius.
    double error = 0.0;
};

/// The first documents that a search solved.
struct Seeds {
    std::vector<Hit> hits;  ///< nearest first: those that may belong to the answer
    /// Mean of the row potentials of the seeds that were solved last, and how many these were. They give bounds on all
    /// other documents, of other collections too. Empty if bounds cannot use them.
    std::vector<double> potentials;
    std::int64_t n_with_potentials = 0;
};

/// The answer of a search.
struct SearchResult {
    /// Nearest first, ties by position: the k nearest, and all others at the k-th distance, so that a caller with other
    /// names for documents can choose among the ties. The first k are one correct answer.
    std::vector<Hit> hits = {};
    Certificate certificate = {};
    std::vector<Rung> rungs = {};  ///< in the order in which the stages ran
    std::int64_t n_documents = 0;  ///< how many documents were searched
    bool timed_out = false;        ///< whether the timeout ended the search
};

/// Find the k nearest documents. `query` must be prepared for the measure of the corpus.
///
/// Throws std::invalid_argument for a goal that cannot be met, SequenceError or std::invalid_argument for documents or
/// a query that cannot be measured, and Interrupted if `goal.stop` asks for it. A timeout does not throw. The answer
/// does not depend on the number of threads, apart from what slack or a timeout leaves open. Any number of searches may
/// run at the same time.
[[nodiscard]] SearchResult search(const Searchable& corpus, const PreparedSequence& query, const SearchGoal& goal);

class Ladder;

/// A search in two parts. Several collections that are searched as one solve their seeds first; then all continue with
/// the same potentials, and look only for documents within the k-th distance of all seeds. Where one continues without
/// having begun, such as a copy of a collection, `finish` looks for no seeds if potentials are given.
///
/// Errors are those of `search`, and std::logic_error for a call that is not allowed any more. Used by one thread at a
/// time.
class SplitSearch {
  public:
    /// The corpus, the memory that `query` and `goal` view, and the source of candidates must outlive the search.
    SplitSearch(const Searchable& corpus, const PreparedSequence& query, const SearchGoal& goal);
    ~SplitSearch();
    SplitSearch(const SplitSearch&) = delete;
    SplitSearch& operator=(const SplitSearch&) = delete;

    /// How many potentials bounds can use; 0 if none, or if there is nothing to search.
    [[nodiscard]] std::size_t n_potentials() const;
    /// Solve the seeds. At most once, and before `finish`.
    [[nodiscard]] Seeds begin();
    /// Search to the end; at most once. If k documents at most `cutoff` away are known elsewhere, no others are of
    /// interest: the result is then exact if no document within the cutoff can be missing. `potentials`, if there are
    /// any, replace those of the seeds; they must be finite, and `n_potentials`.
    [[nodiscard]] SearchResult finish(double cutoff, std::span<const double> potentials);

  private:
    const double least_distance_;
    std::unique_ptr<Ladder> ladder_;  ///< none if there is nothing to search
    SearchResult nothing_;
    bool is_finished_ = false;
};

/// What a list of hits proves. `distances` rise, one per hit; no unsolved document is nearer than `bound`; `unsolved`
/// documents were not solved. `k` and `radius` as in SearchGoal.
[[nodiscard]] Certificate certify(std::span<const double> distances, double bound, std::int64_t unsolved, std::size_t k,
                                  double radius = std::numeric_limits<double>::infinity());

}  // namespace moverank
