/// The results of the checks of one seed, and of many.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <map>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace soak {

/// What is held against every problem that it applies to.
enum class Claim : std::uint8_t {
    proof,         ///< plan and potentials prove the value
    oracle,        ///< successive shortest paths find it, too
    permutations,  ///< so does trying all permutations
    cutoff,        ///< a solve under a cutoff stops with proof or comes to the same bits
    transposed,    ///< rows for columns: the same value
    permuted,      ///< rows and columns in another order: the same value
    precision,     ///< float32 costs solved as float64: the same value
    minima,        ///< what the minima say is no more
    interval,      ///< Sinkhorn's interval holds the optimum
    intersection,  ///< all intervals of one problem have a point in common
    scaled_plan,   ///< Sinkhorn's plan misses its marginals by no more than is said
    scaled_value,  ///< where it converged, what its plan costs with entropy is the value
    batch,         ///< many in a call are what each alone is
    ground_cost,   ///< costs are as near to the true ones as stated
    distance,      ///< a distance is the proved value of its problem
    symmetry,      ///< d(x, y) = d(y, x) where nothing tells the sides apart
    relaxed,       ///< the relaxed problem's value is no more
    reused_bound,  ///< nor is the bound from potentials, whatever these are
    codes,         ///< nor distances to codes, or bounds on these, less their slack
    pooled,        ///< nor the bound between pooled vectors
    pair_cutoff,   ///< a pair is out only with proof
    search,        ///< a search finds what brute force finds
    floor,         ///< a search that time ended tells no lies
    parts,         ///< a collection in parts answers as the whole
    word_costs,    ///< a word costs the same in every document
    one_sided,     ///< the one-sided bound of bags is no more than the distance
    two_sided,     ///< nor is the two-sided one
    no_exception,  ///< nothing that callers may ask for throws
    count_
};

inline constexpr std::size_t n_claims = static_cast<std::size_t>(Claim::count_);
inline constexpr std::array<const char*, n_claims> claim_names{
    "proof",    "oracle",   "permutations", "cutoff",       "transposed",   "permuted",  "precision",
    "minima",   "interval", "intersection", "scaled plan",  "scaled value", "batch",     "ground cost",
    "distance", "symmetry", "relaxed",      "reused bound", "codes",        "pooled",    "pair cutoff",
    "search",   "floor",    "parts",        "word costs",   "one-sided",    "two-sided", "no exception"};

/// What may be spoiled behind the solver's back, to show that it would be seen.
enum class Flaw : std::uint8_t {
    none,
    value,           ///< by a relative 1e-9
    flow,            ///< one is dropped
    potential,       ///< one is lifted by 1e-9 of the largest cost
    lower,           ///< lifted above the value
    oracle,          ///< another problem is solved, and proved: one cost is a millionth of the largest less
    permutations,    ///< the same
    stop,            ///< a cutoff at the value fires
    stopped_value,   ///< a value under a cutoff is the next number
    transposed,      ///< the value is off by a relative 1e-9
    permuted,        ///< the same
    precision,       ///< the same
    minima,          ///< lifted by 1e-9 of the largest cost
    interval_lower,  ///< lifted by as much
    interval_upper,  ///< lowered by as much
    intersection,    ///< an end of an interval without an oracle is lowered to half
    scaled_entry,    ///< an entry of the plan is dropped
    convergence,     ///< said of what has not converged
    scaled_value,    ///< is off by a thousandth
    batch,           ///< a value is the next number
    ground_cost,     ///< a cost is off by twice what is allowed
    distance,        ///< a value is the next number
    symmetry,        ///< a value is off by a relative 1e-9
    relaxed,         ///< a bound is lifted by a millionth
    reused_bound,    ///< the same
    codes,           ///< their slack is forgotten
    pooled,          ///< its margin is forgotten, and a millionth more
    pair_cutoff,     ///< a pair at the cutoff is out
    search,          ///< the last hit is lost
    floor,           ///< lifted
    parts,           ///< a hit is the document before
    word_costs,      ///< an entry is the next number
    one_sided,       ///< lifted by a millionth
    two_sided,       ///< the same
    exception,       ///< something throws
    count_
};

inline constexpr std::size_t n_flaws = static_cast<std::size_t>(Flaw::count_);

/// Who has to find it.
struct PlantedFlaw {
    const char* name;
    Claim finder;
};
inline constexpr std::array<PlantedFlaw, n_flaws> planted_flaws{{{"none", Claim::count_},
                                                                 {"value", Claim::proof},
                                                                 {"flow", Claim::proof},
                                                                 {"potential", Claim::proof},
                                                                 {"lower", Claim::proof},
                                                                 {"oracle", Claim::oracle},
                                                                 {"permutations", Claim::permutations},
                                                                 {"stop", Claim::cutoff},
                                                                 {"stopped-value", Claim::cutoff},
                                                                 {"transposed", Claim::transposed},
                                                                 {"permuted", Claim::permuted},
                                                                 {"precision", Claim::precision},
                                                                 {"minima", Claim::minima},
                                                                 {"interval-lower", Claim::interval},
                                                                 {"interval-upper", Claim::interval},
                                                                 {"intersection", Claim::intersection},
                                                                 {"scaled-entry", Claim::scaled_plan},
                                                                 {"convergence", Claim::scaled_plan},
                                                                 {"scaled-value", Claim::scaled_value},
                                                                 {"batch", Claim::batch},
                                                                 {"ground-cost", Claim::ground_cost},
                                                                 {"distance", Claim::distance},
                                                                 {"symmetry", Claim::symmetry},
                                                                 {"relaxed", Claim::relaxed},
                                                                 {"reused-bound", Claim::reused_bound},
                                                                 {"codes", Claim::codes},
                                                                 {"pooled", Claim::pooled},
                                                                 {"pair-cutoff", Claim::pair_cutoff},
                                                                 {"search", Claim::search},
                                                                 {"floor", Claim::floor},
                                                                 {"parts", Claim::parts},
                                                                 {"word-costs", Claim::word_costs},
                                                                 {"one-sided", Claim::one_sided},
                                                                 {"two-sided", Claim::two_sided},
                                                                 {"exception", Claim::no_exception}}};

/// Bits of results. Those of exact solves are the same on every instruction set, those of distances without entropy
/// where products are fused, those of scalings on one and the same.
enum class Digest : std::uint8_t { exact, scaled, distances, count_ };
inline constexpr const char* digest_names[] = {"exact solves", "scalings", "distances"};
using Digests = std::array<std::uint64_t, static_cast<std::size_t>(Digest::count_)>;

/// Sums over many seeds.
struct Counts {
    std::int64_t problems = 0;
    std::array<std::int64_t, n_claims> checks{};
    std::map<std::string, std::int64_t> families;  ///< problems
    std::vector<std::string> violations;           ///< as they are printed

    void add(const Counts& other) {
        problems += other.problems;
        for (std::size_t c = 0; c < n_claims; ++c) {
            checks[c] += other.checks[c];
        }
        for (const auto& [name, count] : other.families) {
            families[name] += count;
        }
        violations.insert(violations.end(), other.violations.begin(), other.violations.end());
    }
};

class Report {
  public:
    Report(std::uint64_t seed, Flaw planted) : seed_(seed), planted_(planted) {}

    /// What the seed stands for.
    void describe(std::string family, std::string description) {
        family_ = std::move(family);
        description_ = std::move(description);
    }
    [[nodiscard]] bool plants(Flaw flaw) const { return planted_ == flaw; }
    /// `said` is put together only where the claim does not hold.
    template <class... Words>
    void require(bool holds, Claim claim, const Words&... said) {
        ++checks_[static_cast<std::size_t>(claim)];
        if (!holds && violations_.size() < most_said) {
            std::ostringstream text;
            text.precision(17);
            text << claim_names[static_cast<std::size_t>(claim)];
            ((text << ": ") << ... << said);
            violations_.push_back({claim, text.str()});
        }
    }
    void digest(Digest of, std::uint64_t bits) {
        std::uint64_t& sum = digests_[static_cast<std::size_t>(of)];
        sum = (sum ^ bits) * 0x9e3779b97f4a7c15U;
        sum ^= sum >> 29;
    }
    void digest(Digest of, double value) {
        digest(of, value == 0.0 ? std::uint64_t{0} : std::bit_cast<std::uint64_t>(value));  // 0 has two signs
    }

    [[nodiscard]] const std::string& family() const { return family_; }
    [[nodiscard]] const std::string& description() const { return description_; }
    [[nodiscard]] const Digests& digests() const { return digests_; }
    [[nodiscard]] bool holds() const { return violations_.empty(); }
    [[nodiscard]] bool violates(Claim claim) const {
        for (const Violation& violation : violations_) {
            if (violation.claim == claim) {
                return true;
            }
        }
        return false;
    }
    void add_to(Counts& counts) const {
        ++counts.problems;
        ++counts.families[family_];
        for (std::size_t c = 0; c < n_claims; ++c) {
            counts.checks[c] += checks_[c];
        }
        for (const Violation& violation : violations_) {
            counts.violations.push_back("seed " + std::to_string(seed_) + " (" + description_ + "): " + violation.what);
        }
    }

  private:
    static constexpr std::size_t most_said = 5;  ///< of one seed: the first says what to look at

    struct Violation {
        Claim claim;
        std::string what;
    };

    std::uint64_t seed_;
    Flaw planted_;
    std::string family_, description_;
    std::array<std::int64_t, n_claims> checks_{};
    std::vector<Violation> violations_;
    Digests digests_{};
};

}  // namespace soak
