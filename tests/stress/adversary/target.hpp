/// One claim under attack.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "genome.hpp"
#include "moverank/prepared.hpp"

namespace adversary {

class Target {
  public:
    /// `teeth`: what a short attack uses up of the margin at least, so that it shows when an attack grows blunt.
    Target(std::string name, double teeth) : name_(std::move(name)), teeth_(teeth) {}
    virtual ~Target() = default;
    Target(const Target&) = delete;
    Target& operator=(const Target&) = delete;

    [[nodiscard]] const std::string& name() const { return name_; }
    [[nodiscard]] double teeth() const { return teeth_; }

    /// Where a climb starts.
    [[nodiscard]] virtual Genome begin(Random& random) = 0;
    /// The least multiple of the margin with which the bound holds on this input: above 1 it is violated. Nothing where
    /// preparation refuses the input, or there is no bound of it.
    [[nodiscard]] virtual std::optional<double> used(const Genome& genome) = 0;

  private:
    std::string name_;
    double teeth_;
};

using Targets = std::vector<std::unique_ptr<Target>>;

void add_costs(Targets& targets);
void add_pooled(Targets& targets);
void add_codes(Targets& targets);
void add_bags(Targets& targets);
void add_solves(Targets& targets);
void add_sinkhorn(Targets& targets);

/// Query and document of a genome, prepared. The genome must outlive it. Throws SequenceError as preparation does.
class PreparedPair {
  public:
    PreparedPair(const Genome& genome, const std::vector<float>& tokens, bool weighted)
        : offsets_{0, static_cast<std::int64_t>(genome.n), static_cast<std::int64_t>(genome.n + genome.m)},
          both_({{tokens.data(), genome.n + genome.m, genome.dim},
                 offsets_,
                 weighted ? std::span<const double>(genome.weights) : std::span<const double>{}},
                genome.measure) {}

    [[nodiscard]] const moverank::PreparedSequences& both() const { return both_; }
    [[nodiscard]] moverank::PreparedSequence query() const { return both_[0]; }
    [[nodiscard]] moverank::PreparedSequence document() const { return both_[1]; }

  private:
    std::vector<std::int64_t> offsets_;
    moverank::PreparedSequences both_;
};

/// Preparation refuses it, so it is not an input.
template <class Body>
[[nodiscard]] std::optional<double> unless_refused(Body body) {
    try {
        return body();
    } catch (const moverank::SequenceError&) {
        return std::nullopt;
    }
}

}  // namespace adversary
